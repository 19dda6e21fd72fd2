"""Chaos from a seed: kills, stops and edits at random moments, and what must hold whatever comes.

    python tests/chaos/run.py --kills 200 --seed 1        or   --minutes 10

Each step edits the manifests (a rollout, another number of replicas, a one-shot Pod in place of the last one) and then, at
a random moment of the sync, does something bad to the daemon, the supervisor or the proxy. Checked after every one: no Pod
runs twice, the processes of the StatefulSet that nobody edits are the very same, everything becomes as the manifests ask,
the one-shot Pod's exit code is its own (or said to be unknown, if the supervisor was killed meanwhile), and there is a history.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos.site import Site

#: What happens, and how often beside the others.
FAULTS = {"daemon": 5, "supervisor": 2, "proxy": 1, "daemon+supervisor": 3, "stop": 1}


def chaos(site: Site, seed: int, over: Callable[[int], bool]) -> Counter[str]:
    """Run until ``over(kills)``; returns what was done how often. Raises ``AssertionError`` for what does not hold."""
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    site.up(wait=True)
    site.until_converged()
    steady = site.steady()
    assert len(steady) == 3, steady
    while not over(done["kills"]):
        if dice.random() < 0.7:
            site.change()
            done["edits"] += 1
        time.sleep(dice.random() * 1.2)
        fault = dice.choices([*FAULTS], [*FAULTS.values()])[0]
        done[fault] += 1
        if fault == "stop":
            site.kill("daemon", signal.SIGSTOP)
            time.sleep(dice.random() * 2)
            site.none_twice()
            site.go_on()
        else:
            done["kills"] += sum(site.kill(part) for part in fault.split("+"))
        site.none_twice()
        assert site.steady() == steady, (
            f"seed {seed}, after {fault}: {steady} became {site.steady()}"
        )
        if fault.startswith("daemon"):
            site.up()
        if dice.random() < 0.5:
            site.until_converged()
            done["convergences"] += 1
            assert site.steady() == steady, (
                f"seed {seed}, after {fault}: {steady} became {site.steady()}"
            )
    site.until_converged()
    assert site.steady() == steady
    site.none_twice()
    history = json.loads(site.run("history", "deploy", "-o", "json").stdout)
    assert history, "the history is empty"
    done["exit codes unknown"] = len(site.unknown)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    kills = asked.kills or (0 if asked.minutes else 20)
    end = time.monotonic() + asked.minutes * 60

    def over(number: int) -> bool:
        return number >= kills if kills else time.monotonic() > end

    with tempfile.TemporaryDirectory(prefix="rc-chaos-") as folder, Site(Path(folder)) as site:
        started = time.monotonic()
        done = chaos(site, asked.seed, over)
    print(json.dumps({"seed": asked.seed, "seconds": round(time.monotonic() - started), **done}))


if __name__ == "__main__":
    main()
