"""Lists what the tests of a JUnit report say they skipped: `what: why (test)`, one a line."""

import re
import sys
import xml.etree.ElementTree as ElementTree


def skipped(report):
    for case in ElementTree.parse(report).iter("testcase"):
        for output in case.iter():
            if output.tag in ("system-out", "system-err"):
                for what in re.findall(r"^\s*SKIPPED: (.+)$", output.text or "", re.MULTILINE):
                    yield f"{what} ({case.get('classname')} {case.get('name')})"


for line in skipped(sys.argv[1]):
    print(line)
