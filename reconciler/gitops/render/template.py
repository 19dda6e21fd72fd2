"""``*.j2`` templates in a sandbox: values in, text out; no files but those of the snapshot, no undefined names. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reconciler.gitops.render.written import Piece, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: A template may write so many characters, and ``range`` may count so far.
LONGEST_OUTPUT = 5 * 1024 * 1024
LONGEST_RANGE = 10_000
LONGEST_INDENT = 100


class TemplateError(Exception):
    """A template cannot be rendered; ``file`` and ``line`` are where in the templates."""

    def __init__(self, rule: str, message: str, file: str, line: int) -> None:
        super().__init__(message)
        self.rule = rule
        self.file = file
        self.line = line


class _Piece(str):
    """What a template writes at once, and which line of which template does."""

    __slots__ = ("line", "template")

    template: str
    line: int


class _Template(jinja2.Template):
    """Says of each piece where it was written; what is included says so itself."""

    @classmethod
    def _from_namespace(
        cls,
        environment: jinja2.Environment,
        namespace: Any,
        globals: Any,  # noqa: A002
    ) -> jinja2.Template:
        made = super()._from_namespace(environment, namespace, globals)
        made.root_render_func = _placed(made, made.root_render_func)
        made.blocks = {name: _placed(made, block) for name, block in made.blocks.items()}
        return made


def _placed(template: jinja2.Template, write: Any) -> Any:
    def pieces(*arguments: Any, **named: Any) -> Iterator[str]:
        writing = write(*arguments, **named)
        for text in writing:
            if isinstance(text, _Piece):
                yield text
                continue
            piece = _Piece(text)
            piece.template = template.name or ""
            # Suspended, the generator stands at the line that wrote this.
            piece.line = template.get_corresponding_lineno(writing.gi_frame.f_lineno)
            yield piece

    return pieces


class _Undefined(jinja2.StrictUndefined):
    """A name without a value, which is told of also where a number is asked for: ``range(nothing)``."""

    __index__ = __float__ = __trunc__ = jinja2.StrictUndefined._fail_with_undefined_error  # noqa: SLF001


class _Environment(ImmutableSandboxedEnvironment):
    """Nothing of Python behind the values: no attributes with underscores, no methods that format."""

    template_class = _Template
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sized = [v for v in (left, right) if isinstance(v, (str, list, tuple, bytes))]
        if (
            operator == "**"
            or (operator == "*" and sized)
            or (operator == "%" and sized[:1] == [left])
        ):
            raise jinja2.exceptions.SecurityError(f"the operator {operator} is not allowed here")
        if operator == "+" and sum(map(len, sized)) > LONGEST_OUTPUT:
            raise jinja2.exceptions.SecurityError("the result of + is too large")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse methods that make a small text as large as they are told."""
        return super().is_safe_attribute(obj, attr, value) and not (
            isinstance(obj, (str, bytes)) and attr in _PADDING
        )


#: Methods and filters that pad to any width: a few characters would fill the memory.
_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"})


class _Dumper(yaml.SafeDumper):
    """Says of a value that nobody gave that nobody gave it."""


def _unrepresentable(_: Any, value: Any) -> yaml.Node:
    raise TypeError(_unwritable(value))


def _unwritable(value: Any) -> str:
    """Say that a value cannot be written; one that is undefined says so itself."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises UndefinedError, with the name
    return f"a {type(value).__name__} cannot be written"


_Dumper.add_multi_representer(object, _unrepresentable)


def _to_yaml(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("...\n").rstrip("\n")


def _dumps(value: Any, **options: Any) -> str:
    def other(found: Any) -> Any:
        raise TypeError(_unwritable(found))

    return json.dumps(value, default=other, **options)


def _to_json(value: Any) -> str:
    return _dumps(value, separators=(",", ":"))


def _range(*arguments: int) -> range:
    counted = range(*arguments)
    if len(counted) > LONGEST_RANGE:
        raise jinja2.exceptions.SecurityError(f"range is limited to {LONGEST_RANGE}")
    return counted


def _indent(text: str, width: int = 4, first: bool = False, blank: bool = False) -> str:
    if width > LONGEST_INDENT:
        raise jinja2.exceptions.SecurityError(f"indent is limited to {LONGEST_INDENT}")
    return jinja2.filters.do_indent(text, width, first, blank)


def _fail(message: str) -> None:
    raise jinja2.TemplateRuntimeError(str(message))


class Templates:
    """The templates of one snapshot, with one set of values."""

    def __init__(self, files: Mapping[str, bytes], values: Mapping[str, Any]) -> None:
        self._values = values
        self._files = files

        def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
            data = files.get(name)
            if data is None:
                return None
            return data.decode("utf-8-sig", "replace"), name, lambda: True

        self._environment = _Environment(
            loader=jinja2.FunctionLoader(load),
            undefined=_Undefined,
            keep_trailing_newline=True,
            autoescape=False,
        )
        self._environment.globals = {"range": _range, "fail": _fail, "dict": dict}
        for name in ("center", "format", "batch", "slice"):
            del self._environment.filters[name]
        self._environment.filters["indent"] = _indent
        self._environment.filters["to_yaml"] = _to_yaml
        self._environment.filters["to_json"] = _to_json
        self._environment.policies["json.dumps_function"] = _dumps

    def render(self, path: str) -> Written:
        """Return what a template renders to. Raises ``TemplateError``."""
        try:
            template = self._environment.get_template(path)
            writing = template.generate(**{**self._values, "values": self._values})
            return Written(path, _bounded(writing, path), self.source)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                "template/syntax", error.message or "malformed", error.name or path, error.lineno
            ) from error
        except jinja2.UndefinedError as error:
            raise TemplateError(
                "template/undefined", str(error), path, _line(error, path)
            ) from error
        except jinja2.exceptions.SecurityError as error:
            raise TemplateError(
                "template/forbidden", str(error), path, _line(error, path)
            ) from error
        except jinja2.TemplateNotFound as error:
            told = f"there is no template {str(error)!r} in this source"
            raise TemplateError("template/missing", told, path, _line(error, path)) from error
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError,
                RecursionError, MemoryError) as error:  # fmt: skip
            told = re.sub(r"\s+", " ", str(error)) or type(error).__name__
            raise TemplateError("template/failed", told, path, _line(error, path)) from error

    def source(self, path: str) -> str:
        """Return a template as it is written."""
        data = self._files.get(path)
        return data.decode("utf-8-sig", "replace") if data is not None else ""


def _bounded(written: Iterable[str], path: str) -> list[Piece]:
    """Return what a template writes, as long as that is not too much."""
    pieces: list[Piece] = []
    size = 0
    for text in written:
        size += len(text)
        if size > LONGEST_OUTPUT:
            told = f"writes more than {LONGEST_OUTPUT} characters"
            raise TemplateError("template/too-large", told, path, 1)
        placed = (text.template, text.line) if isinstance(text, _Piece) else (path, 1)
        pieces.append(Piece(str(text), *placed))
    return pieces


def _line(error: BaseException, path: str) -> int:
    """Return the template's line where an error arose: Jinja2 puts it into the traceback."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
