"""Adds up JUnit reports: names every skipped test, then ends with the line 'N passed, N failed, N skipped'.

To ctest a program of unit tests is one test; what counts is each case that it ran, read from its output (cmocka's).

A folder holds reports of sanitizers, which are printed: each file is a failure.

Exit 1 when something failed, when nothing passed, or when a report is missing, since its tests did not run.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

CASE = re.compile(r"^\[ +(OK|SKIPPED|FAILED|ERROR) +\] (\w+)$", re.MULTILINE)


@dataclass
class Sum:
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)

    def add_case(self, case: ElementTree.Element) -> None:
        program = case.get("name")
        has_failed = case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail"
        # cmocka names what did not pass once more at the end.
        inner = dict.fromkeys((word, name) for word, name in CASE.findall(case.findtext("system-out") or ""))
        if inner and case.get("status"):
            bad = len({name for word, name in inner if word in ("FAILED", "ERROR")})
            self.passed += sum(word == "OK" for word, _ in inner)
            self.failed += max(bad, has_failed)  # a crash names no case
            self.skipped += [f"{program}: {name}" for word, name in inner if word == "SKIPPED"]
        elif has_failed:
            self.failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            self.skipped.append(f"{case.get('classname')}: {program}")
        else:
            self.passed += 1


def main(reports: list[str]) -> int:
    total = Sum()
    for report in map(Path, reports):
        if report.is_dir():
            for file in sorted(report.iterdir()):
                print(f"{file}:\n{file.read_text(errors='replace')}")
                total.failed += 1
            continue
        try:
            cases = list(ElementTree.parse(report).iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"no report {report}: {error}")
            total.failed += 1
            continue
        for case in cases:
            total.add_case(case)
    for name in total.skipped:
        print(f"skipped: {name}")
    print(f"{total.passed} passed, {total.failed} failed, {len(total.skipped)} skipped")
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
