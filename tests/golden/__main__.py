"""`python -m tests.golden FILE`: every case of the file, and whether the product computes what it expects.

Exit codes: 0 no case failed, 1 one did, 2 there is no such file or it holds no cases.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.golden.cases_file import BadFile, read_cases
from tests.golden.runner import Verdict, run_case, told

USAGE = (
    "usage: python -m tests.golden FILE\n\nFILE is YAML in the format of tests/golden/cases/published.yaml."
)


def main(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    if len(arguments) != 1:
        print(f"expected one file, was {len(arguments)}\n{USAGE}", file=sys.stderr)
        return 2
    try:
        cases = read_cases(Path(arguments[0]))
    except BadFile as error:
        print(error, file=sys.stderr)
        return 2
    outcomes = [run_case(case) for case in cases]
    print(told(outcomes))
    return int(any(outcome.verdict is Verdict.FAIL for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
