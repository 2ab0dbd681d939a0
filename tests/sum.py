"""Adds up JUnit reports: names every skipped test, then ends with the line 'N passed, N failed, N skipped'.

Exit 1 when something failed, when nothing passed, or when a report is missing, since its tests did not run.
"""

import sys
import xml.etree.ElementTree as ElementTree


def main(reports: list[str]) -> int:
    passed = failed = 0
    skipped = []
    for report in reports:
        try:
            cases = list(ElementTree.parse(report).iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"no report {report}: {error}")
            failed += 1
            continue
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
                failed += 1
            elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
                skipped.append(f"{case.get('classname')}: {case.get('name')}")
            else:
                passed += 1
    for name in skipped:
        print(f"skipped: {name}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
