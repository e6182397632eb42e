#!/usr/bin/env python3
"""Breaks every line of every backward pass in turn, to see that a test notices.

    python3 docs/mutate.py                 all rows of docs/gradient-mutations.md
    python3 docs/mutate.py --only lstm.rs  those whose file, line or check contains the text
    python3 docs/mutate.py --list          the rows, without running anything
    python3 docs/mutate.py --statements    leaves out each statement and line of each backward pass

The table names a file, a line of it, what the line becomes, and the check that has to fail. With
`--statements` nothing is chosen by hand: of every function of nn and its example that makes a gradient
(FUNCTIONS below) each statement and each line is left out in turn, and a test has to fail, or the compiler has to
refuse. The tests of the changed file run first; the others only if those pass. The workspace is copied
to a temporary place (TMPDIR), each line is changed there and nowhere else, and the check is run with
`cargo test -p longhand-nn`. Exit status: 0 if every check failed as it should; 1 if one
did not (SURVIVED), or a line is no longer there, or a changed line does not compile; 2 if a check
fails before anything is changed. Needs Python 3.9 and cargo, nothing else.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "gradient-mutations.md"
NN = ROOT / "crates" / "nn"
PLACE = Path(tempfile.gettempdir()) / "longhand-mutants"
BEFORE_TESTS = r"(.*?)(#\[cfg\(test\)\]\n[a-z() ]*mod tests \{.*)?"
TIMEOUT = 900  # seconds for one build and check
# Functions of nn that make or pass on a gradient; `backward` in a name says so by itself.
FUNCTIONS = r"\w*backward\w*|cross_entropy|loss|add|add_to|add_waiting|each|add_windows|add_pairs|words_of_tokens|apply|scale"
# What may go without a wrong gradient: memory handed back, and messages about wrong shapes.
HARMLESS = r"scratch::give\(|= Lent::from\(dy\);|assert"


@dataclass
class Mutation:
    file: str  # from the root of the workspace
    line: str
    becomes: str  # empty: the line is left out
    check: str

    def apply(self, text):
        """The changed text, or None where the line does not stand. Of equal lines it is the last one
        before the tests: backward stands below forward."""
        code, tests = re.fullmatch(BEFORE_TESTS, text, re.DOTALL).groups(default="")
        lines = code.split("\n")
        at = [i for i, line in enumerate(lines) if line.strip() == self.line]
        if not at:
            return None
        indent = lines[at[-1]][: -len(lines[at[-1]].lstrip())]
        lines[at[-1]] = indent + self.becomes
        return "\n".join(lines) + tests

    def __str__(self):
        return f"{Path(self.file).name}: {self.line}  ->  {self.becomes or 'nothing'}"


@dataclass
class Omission:
    file: str
    at: int  # first line, from 1
    lines: list

    def apply(self, text):
        all_lines = text.split("\n")
        del all_lines[self.at - 1 : self.at - 1 + len(self.lines)]
        return "\n".join(all_lines)

    def tests(self):
        """Arguments of `cargo test` that choose tests: the file's own, then all that there are."""
        path = Path(self.file).relative_to(NN.relative_to(ROOT))
        if path.parts[0] == "examples":
            return [["--example", path.stem]]
        module = path.parts[1].removesuffix(".rs")  # of crf/scaled.rs those of crf
        return [["--lib", "--", f"{module}::"], ["--lib"]]

    def __str__(self):
        more = " …" if len(self.lines) > 1 else ""
        return f"{self.file}:{self.at}: {self.lines[0].strip()}{more}  ->  nothing"


def read_statements():
    """Every statement of the functions that make a gradient, blocks as a whole and their insides too,
    and every line of them by itself."""
    omissions = []
    for path in sorted(path for part in ("examples", "src") for path in (NN / part).rglob("*.rs")):
        code = re.split(r"\n#\[cfg\(test\)\]\n(?:pub(?:\(\w+\))? )?mod tests", path.read_text(encoding="utf-8"))[0]
        lines = code.split("\n")
        for first, line in enumerate(lines):
            if not re.match(rf" *(pub(\(\w+\))? )?fn ({FUNCTIONS})\b", line):
                continue
            indent = len(line) - len(line.lstrip())
            body = next(i for i in range(first, len(lines)) if lines[i].endswith("{"))
            end = next(i for i in range(body, len(lines)) if lines[i] == " " * indent + "}")
            name = str(path.relative_to(ROOT))
            for start in range(body + 1, end):
                found = [whole_statement(lines[start:end]), whole_line(lines[start])]
                distinct = [part for n, part in enumerate(found) if part and part not in found[:n]]
                omissions.extend(Omission(name, start + 1, part) for part in distinct)
    return omissions


def whole_line(line):
    """The line, or None where it holds no code, or only brackets, or an attribute."""
    code = line.split(" // ")[0].strip()
    worth = re.search(r"\w", code) and not re.match(r"(//|#)", code) and not re.search(HARMLESS, code)
    return [line] if worth else None


def whole_statement(lines):
    """The statement that begins on the first line, or None where none does that is worth leaving out."""
    if re.match(r"\s*(//|[})\]]|#|\||\.|$)", lines[0]) or re.search(HARMLESS, lines[0]):
        return None
    depth = 0
    for n, line in enumerate(lines):
        code = line.split(" // ")[0].rstrip()
        depth += len(re.findall(r"[({\[]", code)) - len(re.findall(r"[)}\]]", code))
        if depth < 0:
            return None  # the value of a block
        if depth == 0 and re.search(r"[;}]$", code):
            return lines[: n + 1]
    return None


def read_table():
    """Rows `| line | becomes | check |` under headings that name a file, each cell in backticks."""
    mutations, file = [], None
    for row in TABLE.read_text(encoding="utf-8").split("\n"):
        if heading := re.fullmatch(r"## `(.+)`", row):
            file = heading[1]
        elif row.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
            line, becomes, check = (cell.strip("`").replace(r"\|", "|") for cell in cells)
            mutations.append(Mutation(file, line, "" if becomes == "nothing" else becomes, check))
    return mutations


def copy_workspace():
    """The workspace without its build output. Times are kept, so that unchanged crates stay built, but
    not those of nn: what was built last may be the last change of another run."""
    copy = PLACE / "workspace"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("target", ".git"), symlinks=True)
    for source in (copy / "crates" / "nn" / "src").rglob("*.rs"):
        source.touch()
    return copy


def run_checks(workspace, checks):
    """What came of the tests of nn with these names."""
    return run_tests(workspace, ["--lib", "--", "--exact", *checks], len(checks))


def run_tests(workspace, which, expected=None):
    """(what came of them, output): passed, failed, or does not compile."""
    command = ["cargo", "test", "-p", "longhand-nn", *which]
    # Without optimisation the tests build in a fraction of the time and still take seconds.
    fast = {"CARGO_PROFILE_DEV_OPT_LEVEL": "0", "CARGO_PROFILE_DEV_DEBUG": "false"}
    env = os.environ | fast | {"CARGO_TARGET_DIR": str(PLACE / "target")}
    try:
        run = subprocess.run(
            command, cwd=workspace, env=env, capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return "failed", "it did not come to an end"
    output = run.stdout + run.stderr
    results = re.findall(r"^test result: .* (\d+) passed; (\d+) failed", output, re.MULTILINE)
    if not results:
        return "does not compile", output
    passed, failed = map(int, results[0])
    if expected is not None and passed + failed != expected:
        return "no such check", output
    return ("failed" if failed else "passed"), output


def reason(output):
    """The line after `panicked at`: for a gradient its name, index and both values."""
    found = re.search(r"panicked at .*\n(.*)", output)
    return re.sub(r"\s+", " ", found[1])[:100] if found else output.strip().split("\n")[-1][:100]


def first_failure(output):
    """The name of a test that failed."""
    found = re.search(r"^test (\S+) (?:- should panic )?\.\.\. FAILED", output, re.MULTILINE)
    return found[1] if found else "the run, which did not come to an end"


def leave_out(args):
    """Each statement and line of each backward pass, left out."""
    omissions = [o for o in read_statements() if args.only in str(o)]
    if args.list:
        print("\n".join(map(str, omissions)))
        return 0
    workspace = copy_workspace()
    for which in (["--lib"], ["--example", "gru"]):
        outcome, output = run_tests(workspace, which)
        if outcome != "passed":
            print(f"before any change the tests have {outcome}:\n{output[-3000:]}")
            return 2
    counts = {"failed": 0, "does not compile": 0, "passed": 0}
    for o in omissions:
        path = workspace / o.file
        text = path.read_text(encoding="utf-8")
        path.write_text(o.apply(text), encoding="utf-8")
        for which in o.tests():
            outcome, output = run_tests(workspace, which)
            if outcome != "passed":
                break
        path.write_text(text, encoding="utf-8")
        counts[outcome] += 1
        words = {"failed": "caught  ", "does not compile": "refused ", "passed": "SURVIVED"}
        why = f"\n          by {first_failure(output)}: {reason(output)}" if outcome == "failed" else ""
        print(f"{words[outcome]}  {o}{why}", flush=True)
    failed, refused, survived = counts.values()
    print(
        f"{len(omissions)} statements and lines left out: {failed} caught by a test, "
        f"{refused} refused by the compiler, {survived} survived"
    )
    return 1 if survived else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="rows whose file, line or check contains this")
    parser.add_argument("--list", action="store_true", help="show the rows and stop")
    parser.add_argument("--statements", action="store_true", help="leave out each statement and line")
    args = parser.parse_args()
    if args.statements:
        return leave_out(args)
    mutations = [m for m in read_table() if args.only in f"{m.file} {m.line} {m.check}"]
    if args.list:
        print("\n".join(map(str, mutations)))
        return 0

    workspace = copy_workspace()
    outcome, output = run_checks(workspace, sorted({m.check for m in mutations}))
    if outcome != "passed":
        print(f"before any change the checks have {outcome}:\n{output[-3000:]}")
        return 2
    bad = 0
    for m in mutations:
        path = workspace / m.file
        text = path.read_text(encoding="utf-8")
        changed = m.apply(text)
        if changed is None:
            outcome, output = "NOT FOUND", ""
        else:
            path.write_text(changed, encoding="utf-8")
            outcome, output = run_checks(workspace, [m.check])
            path.write_text(text, encoding="utf-8")
        if outcome == "failed":
            print(f"caught    {m}\n          by {m.check}: {reason(output)}", flush=True)
        else:
            bad += 1
            word = "SURVIVED" if outcome == "passed" else outcome.upper()
            print(f"{word}  {m}\n          check {m.check}", flush=True)
    print(f"{len(mutations) - bad} of {len(mutations)} changes were caught")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
