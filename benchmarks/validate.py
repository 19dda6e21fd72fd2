"""What checking a large set of manifests costs: cold in one and two processes, warm, and with one changed file.

    python benchmarks/validate.py [DOCUMENTS] [MANIFESTS]

Files from MANIFESTS (default: ../shared/manifests) are copied, a directory a copy, until there are DOCUMENTS documents.
Each row is a fresh process of the command itself: CPU seconds (user and system, children included) are the smallest of
several runs, wall seconds belong to the same run, peak memory is that of the largest process. ``--no-references``: as
copies would else be reported as duplicates of one another; one row is with them.
"""

from __future__ import annotations

import compileall
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 3


def copied(manifests: Path, target: Path, documents: int) -> tuple[int, int]:
    """Copy files until there are so many documents; returns how many files and documents there are."""
    sources = sorted(
        p for p in manifests.rglob("*") if p.suffix in (".yaml", ".yml", ".json") and p.is_file()
    )
    files = made = number = 0
    while made < documents:
        for source in sources:
            data = source.read_bytes()
            path = target / f"copy-{number}" / source.relative_to(manifests)
            path.parent.mkdir(parents=True, exist_ok=True)
            # A line of its own makes every copy another content.
            path.write_bytes(data if source.suffix == ".json" else b"# %d\n" % number + data)
            files += 1
            made += 1 + data.count(b"\n---")
            if made >= documents:
                break
        number += 1
    return files, made


def run(*arguments: str, state: Path) -> tuple[float, float, int, str]:
    """Return CPU seconds, wall seconds, the peak memory of the largest process in MiB, and the last line."""
    command = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)\n"
        "print(done.stdout.splitlines()[-1] if done.stdout else done.stderr)\n"
    )
    program = [sys.executable, "-m", "reconciler", "--state-dir", str(state), "validate"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", command, *program, "--format", "text", *arguments],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    wall = time.perf_counter() - started
    numbers, last = done.stdout.splitlines()[:2]
    cpu, peak = numbers.split()
    return float(cpu), wall, int(peak), last


def row(name: str, documents: int, *arguments: str, state: Path, before: object = None) -> None:
    best = (1e9, 0.0, 0, "")
    for _ in range(RUNS):
        if callable(before):
            before()
        best = min(best, run(*arguments, state=state))
    cpu, wall, peak, last = best
    each = cpu / documents * 1000
    print(
        f"{name:<28} {cpu:7.2f} {wall:7.2f} {each:9.4f} {documents / cpu:10,.0f} {peak:6}  {last}"
    )


def main() -> None:
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    manifests = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT.parent / "shared/manifests"
    with tempfile.TemporaryDirectory() as text:
        folder, state = Path(text) / "manifests", Path(text) / "state"
        files, made = copied(manifests, folder, documents)
        compileall.compile_dir(ROOT / "reconciler", quiet=2)
        size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        print(f"{files} files, about {made} documents, {size / 1e6:.1f} MB, {os.cpu_count()} cores")
        head = f"{'':<28} {'CPU s':>7} {'wall s':>7} {'ms/doc':>9} {'docs/CPU-s':>10} {'MiB':>6}"
        print(head)
        every = (str(folder), "--no-references")
        count = int(run(*every, "--no-cache", "--jobs", "1", state=state)[3].split()[2])
        row("cold, one process", count, *every, "--no-cache", "--jobs", "1", state=state)
        row("cold, two processes", count, *every, "--no-cache", "--jobs", "2", state=state)
        run(*every, state=state)
        row("warm", count, *every, state=state)
        changed = next(iter(sorted(folder.rglob("*.yaml"))))

        def edit() -> None:
            changed.write_bytes(changed.read_bytes() + b"# %d\n" % time.monotonic_ns())

        row("warm, one changed file", count, *every, state=state, before=edit)
        row("cold, with references", count, str(folder), "--no-cache", "--jobs", "1", state=state)
        for name, many in (("half", documents // 2), ("twice", documents * 2)):
            other = Path(text) / name
            copied(manifests, other, many)
            several = (str(other), "--no-references", "--jobs", "1")
            there = int(run(*several, "--no-cache", state=state)[3].split()[2])
            row(f"cold, {name} as many", there, *several, "--no-cache", state=state)
            run(*several, state=state)
            row(f"warm, {name} as many", there, *several, state=state)
        wrong = Path(text) / "mistakes.yaml"
        wrong.write_text(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
            + "".join(f"  - {{name: {number}}}\n" for number in range(56_000))
        )
        row("1 MB of mistakes, cold", 1, str(wrong), "--no-cache", state=state)
        single = ROOT / "examples/hello/hello.yaml"
        row("one file, cold", 1, str(single), "--no-cache", state=state)
    print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
