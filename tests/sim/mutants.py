#!/usr/bin/env python3
"""Shows that the simulation bites: builds mutants of what decides, each in a scratch copy, and runs seeds of it.

A mutant that lives through every seed is an error, and so is one whose text is no longer found once in its file: then
the code has changed, and the mutant in mutants.txt has to follow. Each needs its unit compiled once, nothing else.
"""
import argparse
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

CAUGHT = {10: "order", 11: "after", 12: "fence", 13: "cursor", 14: "acts", 15: "bounds", 16: "stuck", 17: "told",
          18: "spin", 19: "isolation", 20: "data", 21: "drain", 22: "ping", 30: "check"}  # as cape-sim says them
RUN_SECONDS_MAX = 300


def read_mutants(path):
    mutants = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        kind, _, rest = line.partition(" ")
        if not line or kind == "#":
            continue
        if kind == "mutant":
            mutants.append({"name": rest, "file": "", "-": [], "+": []})
        elif kind == "file" and mutants:
            mutants[-1]["file"] = rest
        elif kind in ("-", "+") and mutants:
            mutants[-1][kind].append(rest)
        else:
            sys.exit(f"{path}:{number}: expected mutant, file, - or +, found: {line}")
    return mutants


def mistake_of(mutant, folder):
    """None, or why it cannot be made there."""
    file = folder / mutant["file"]
    if not file.is_file():
        return f"there is no {mutant['file']}"
    old = "\n".join(mutant["-"])
    found = file.read_text().count(old) if old else 0
    return None if found == 1 else f"found {found} times instead of once in {mutant['file']}: {old}"


def mutate(mutant, folder):
    file = folder / mutant["file"]
    file.write_text(file.read_text().replace("\n".join(mutant["-"]), "\n".join(mutant["+"])))


class Builder:
    def __init__(self, args, scratch):
        self.args, self.scratch = args, scratch
        self.main = scratch / "main.o"
        self.compile(args.source, args.source / "tests/sim/main.cpp", self.main)

    def compile(self, first, source, out):
        command = [self.args.cxx, "-std=c++23", "-O0", "-w", "-I", str(first), "-I", str(self.args.source),
                   "-c", str(source), "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"does not compile:\n{done.stderr[:2000]}")

    def build(self, folder, unit, program):
        """Compiles the unit in `folder` as one file and links it with the simulation that is built already."""
        together = folder / "together.cpp"
        together.write_text("".join(f'#include "{unit}/{source}"\n' for source in self.args.units[unit]))
        self.compile(folder, together, folder / "together.o")
        # Its object comes first, so that nothing of the unit is taken from the libraries.
        command = [self.args.cxx, str(self.main), str(folder / "together.o"), "-o", str(program), *self.args.libs]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"does not link:\n{done.stderr[:2000]}")


def run(program, *words):
    """The exit code and the output; None: it did not end."""
    try:
        done = subprocess.run([str(program), *words], capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout


def judge(program, seeds):
    """(caught, what to say)."""
    code, output = run(program, "--seeds", seeds)
    if code is None:
        return True, "never ends"
    if code not in CAUGHT:
        return False, f"LIVES through seeds {seeds}" if code == 0 else f"cape-sim ended with {code}:\n{output[-2000:]}"
    seed = re.search(r"repeat with: ./run sim --seed (\d+)", output)
    if not seed:
        return False, f"{CAUGHT[code]}, but no line says how to repeat it"
    again, _ = run(program, "--seed", seed[1])
    if again != code:
        return False, f"{CAUGHT[code]} with seed {seed[1]}, and {again} when that was repeated"
    return True, f"{CAUGHT[code]} (seed {seed[1]})"


def copy_files(source, target):
    target.mkdir(parents=True)
    for file in [*source.glob("*.cpp"), *source.glob("*.hpp")]:
        shutil.copy(file, target)


def look_at(mutant, builder, args, scratch):
    folder = scratch / "mutant"
    shutil.rmtree(folder, ignore_errors=True)
    unit = str(pathlib.PurePosixPath(mutant["file"]).parent)
    if unit not in args.units:
        return False, f"{mutant['file']} is in none of {', '.join(args.units)}"
    copy_files(args.source / unit, folder / unit)
    mutate(mutant, folder)
    try:
        builder.build(folder, unit, folder / "cape-sim")
    except RuntimeError as error:
        return False, str(error)
    return judge(folder / "cape-sim", args.seeds)


def seed_of_commit(source):
    """The same for all runs of one commit; None: this is no checkout."""
    done = subprocess.run(["git", "-C", str(source), "rev-parse", "HEAD"], capture_output=True, text=True)
    return int(done.stdout[:8], 16) if done.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True, help="the root of the tree")
    parser.add_argument("--cxx", required=True, help="the compiler")
    parser.add_argument("--unit", nargs="+", action="append", default=[], metavar=("FOLDER", "SOURCE"),
                        help="a folder and those of its sources that are compiled together for a mutant of one of them")
    parser.add_argument("--libs", nargs="*", default=[], help="what the simulation is linked with")
    parser.add_argument("--seeds", default="1..1000", help="the seeds, A..B, of which one has to fail")
    parser.add_argument("--pick", type=int, default=0, help="only so many mutants")
    parser.add_argument("--pick-seed", type=int, help="of the choice; else the commit's, printed")
    parser.add_argument("--only", help="those whose name or file contains this")
    args = parser.parse_args()
    args.units = {}
    for folder, *sources in args.unit:
        args.units.setdefault(folder, []).extend(sources)
    mutants = read_mutants(args.source / "tests/sim/mutants.txt")
    stale = [f"{mutant['name']}: {mistake}" for mutant in mutants if (mistake := mistake_of(mutant, args.source))]
    if stale:
        sys.exit("mutants that do not fit the code any more:\n" + "\n".join(stale))
    if args.only:
        mutants = [mutant for mutant in mutants if args.only in mutant["name"] or args.only in mutant["file"]]
    if args.pick:
        seed = args.pick_seed if args.pick_seed is not None else seed_of_commit(args.source) or random.randrange(1 << 32)
        print(f"chosen with --pick {args.pick} --pick-seed {seed}", flush=True)
        mutants = random.Random(seed).sample(mutants, min(args.pick, len(mutants)))
    failed = 0
    with tempfile.TemporaryDirectory(prefix="cape-mutants-") as scratch:
        builder = Builder(args, pathlib.Path(scratch))
        for mutant in mutants:
            caught, what = look_at(mutant, builder, args, pathlib.Path(scratch))
            failed += not caught
            print(f"{'caught' if caught else 'FAILED'}: {mutant['name']}: {what}", flush=True)
    print(f"{len(mutants)} mutants, {failed} failed")
    return 1 if failed or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
