"""Tests of the scripts in this folder: python3 -m unittest discover -s benches"""

import argparse
import contextlib
import importlib.util
import io
import json
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, HERE / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


baselines = load("baselines", "compare.py")
pairs = load("pairs", "peers/compare.py")
corpus = load("corpus", "peers/corpus.py")
table = load("table", "peers/table.py")
made_up = HERE / "gpu" / "made_up.py"
losses = HERE / "gpu" / "losses.py"
ncu = HERE / "gpu" / "ncu.py"


class Baselines(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = Path(place.name)

    def save(self, name, baseline, low, middle, high, key="slope"):
        folder = self.root / name.replace("/", "_") / baseline
        folder.mkdir(parents=True)
        interval = {"confidence_level": 0.95, "lower_bound": low, "upper_bound": high}
        time = {"confidence_interval": interval, "point_estimate": middle}
        other = {"confidence_interval": interval, "point_estimate": 1e9}
        estimates = {"mean": other, "slope": time} if key == "slope" else {"mean": time, "slope": None}
        (folder / "estimates.json").write_text(json.dumps(estimates))
        (folder / "benchmark.json").write_text(json.dumps({"full_id": name}))

    def run_on(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = baselines.main([*arguments, "--criterion", str(self.root)])
        return status, out.getvalue(), err.getvalue()

    def test_only_what_moved_by_more_than_the_noise_is_shown(self):
        for name, new in {
            "step/slower": (118, 120, 122),
            "step/faster": (78, 80, 82),
            "step/overlaps": (101, 120, 140),
            "step/too_little": (102.5, 103, 104),
        }.items():
            self.save(name, "base", 98, 100, 102)
            self.save(name, "new", *new)
        status, out, _ = self.run_on()
        self.assertEqual(status, 1)
        lines = out.splitlines()
        self.assertEqual(lines[0].split(), "step/slower 100 ns → 120 ns +20.0% slower".split())
        self.assertEqual(lines[1].split(), "step/faster 100 ns → 80 ns -20.0% faster".split())
        self.assertEqual(lines[2:], ["slower: 1, faster: 1, within the noise: 2"])
        self.assertIn("step/overlaps", self.run_on("--all")[1])
        self.assertIn("step/too_little", self.run_on("--noise", "0.01")[1])

    def test_a_bench_without_a_slope_is_judged_by_its_mean_and_one_alone_is_counted(self):
        self.save("epoch", "before", 2.9e6, 3e6, 3.1e6, key="mean")
        self.save("epoch", "after", 0.9e6, 1e6, 1.1e6, key="mean")
        self.save("new bench", "after", 1, 1, 1)
        status, out, _ = self.run_on("before", "after")
        self.assertEqual(status, 0)
        self.assertEqual(out.splitlines()[0].split(), "epoch 3 ms → 1 ms -66.7% faster".split())
        self.assertTrue(out.endswith("within the noise: 0, in one baseline only: 1\n"), out)

    def test_nothing_to_compare_is_an_error_that_says_what_to_do(self):
        self.save("epoch", "base", 1, 1, 1)
        status, out, err = self.run_on("base", "missing")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("--save-baseline", err)


class Pairs(unittest.TestCase):
    def compare(self, a, b, *more):
        command = [sys.executable, str(HERE / "peers/compare.py"), "--a", a, "--b", b, *more]
        return subprocess.run(command, capture_output=True, text=True)

    @staticmethod
    def command(code, *arguments):
        return shlex.join([sys.executable, "-c", code, *arguments])

    def test_ratios_are_those_of_pairs(self):
        found = pairs.summary([10.0, 30.0, 40.0], [5.0, 10.0, 40.0])
        self.assertEqual(found["ratio_median"], 2)
        self.assertEqual((found["ratio_lowest"], found["ratio_highest"]), (1, 3))
        self.assertEqual((found["a_median"], found["b_median"]), (30, 10))

    def test_figures_come_from_output_or_from_a_file_that_the_run_wrote(self):
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "scores.json"
            write = "import sys; open(sys.argv[1], 'x').write('{\"train\": {\"speed\": 600}}')"
            a, b = self.command(write, str(file)), self.command("print('{\"tokens_per_second\": 200}')")
            figure = ["--a-figure", f"{file}:train.speed"]
            done = self.compare(a, b, "-n", "2", "--json", *figure)
            self.assertEqual(done.returncode, 0, done.stderr)
            found = json.loads(done.stdout)
            self.assertEqual((found["a"], found["b"], found["ratio_median"]), ([600, 600], [200, 200], 3))
            # A run that writes nothing does not get the figure that lies there.
            silent = self.compare(self.command("pass"), b, *figure)
            self.assertEqual((silent.returncode, silent.stdout), (1, ""))
            self.assertIn("gave no JSON", silent.stderr)

    def test_a_run_that_fails_or_lacks_the_figure_is_named(self):
        good = self.command("print('{\"tokens_per_second\": 200}')")
        fails = self.compare(good, self.command("import sys; sys.exit('no such corpus')"))
        self.assertEqual((fails.returncode, fails.stdout), (1, ""))
        self.assertIn("no such corpus", fails.stderr)
        lacks = self.compare(good, good, "--b-figure", "train.speed")
        self.assertIn("no 'train.speed'", lacks.stderr)


class Gpu(unittest.TestCase):
    def test_the_corpus_that_is_made_up_is_the_same_each_time_and_has_tags(self):
        run = lambda: subprocess.run([sys.executable, made_up, "200"], capture_output=True, text=True, check=True).stdout
        text = run()
        self.assertEqual(text, run())
        self.assertEqual(text.count("Sentence: "), 200)
        tags = {line.rsplit(",", 1)[1] for line in text.splitlines()[1:]}
        self.assertLessEqual({"O", "B-geo", "B-per"}, tags)

    def test_losses_of_two_runs_are_compared_with_a_bound(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("a", "b")]
            for path, loss in zip(paths, (0.5, 0.505)):
                path.write_text(f"epoch,loss\n1,0.25\n2,{loss}\n")
            for bound, code in (("0.02", 0), ("0.005", 1)):
                done = subprocess.run([sys.executable, losses, *paths, bound], capture_output=True, text=True)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn("0.990 % apart over 2 epochs", done.stdout)

    def test_losses_that_are_no_numbers_or_not_there_are_no_agreement(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a"
            for rows in ("1,nan\n", ""):
                path.write_text("epoch,loss\n" + rows)
                done = subprocess.run([sys.executable, losses, path, path, "0.01"], capture_output=True)
                self.assertEqual(done.returncode, 1, rows)

    def test_times_of_kernels_are_summed_by_name_and_a_report_without_any_is_an_error(self):
        head = '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"'
        rows = [("adam", "1,000"), ("products(Products)", "5000"), ("adam", "2000")]
        lines = [f'"{i}","{name}","gpu__time_duration.sum","ns","{ns}"' for i, (name, ns) in enumerate(rows)]
        for report, code in (("\n".join(["==PROF== ", "epoch 1", head, *lines, "done"]), 0), ("==ERROR== no", 1)):
            done = subprocess.run([sys.executable, ncu, "32"], input=report, capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done.stderr)
            seen = [json.loads(line) for line in done.stdout.splitlines()]
            if code == 0:
                self.assertEqual([line["who"] for line in seen], ["products", "adam"])
                self.assertEqual([line["mean_us"] for line in seen], [5, 1.5])
                self.assertEqual(seen[0]["percent"], 62.5)


class Corpus(unittest.TestCase):
    def test_batches_hold_one_length_and_every_sentence_once(self):
        options = corpus.arguments("x").parse_args([])
        sentences = corpus.training_part(options)
        numbers, words, tags = corpus.numbered(sentences)
        for seed in (None, 1):
            cut = corpus.batches(numbers, 32, seed)
            self.assertTrue(all(len({len(s[0]) for s in batch}) == 1 and len(batch) <= 32 for batch in cut))
            self.assertCountEqual([id(s) for batch in cut for s in batch], [id(s) for s in numbers])
        self.assertEqual(sum(map(corpus.tokens, cut)), sum(map(len, sentences)))
        self.assertEqual(words, len({w for s in sentences for w, _ in s}))
        self.assertEqual(tags, 17)

    def test_tagging_counts_real_tokens_and_refuses_a_peer_that_leaves_some_out(self):
        numbers = [([1, 2], [0, 0]), ([3], [0]), ([4, 5], [0, 0])]
        speeds = corpus.passes_of_tagging(lambda batch: batch, numbers, 2, 0)
        self.assertEqual(len(speeds), 1)
        with self.assertRaises(AssertionError):
            corpus.passes_of_tagging(lambda batch: batch[:1], numbers, 2, 0)


class Rows(unittest.TestCase):
    def options(self, **more):
        given = {"csv": Path("a b.csv"), "split_file": None, "longhand": "lh", "python": None,
                 "rust": Path("none"), "seconds": 5.0}
        return argparse.Namespace(**{**given, **more})

    def test_both_sides_get_the_same_data_batch_and_threads(self):
        rows = table.rows(self.options(python="py", split_file=Path("s.txt")), 2)
        trained = [row for row in rows if row.work.startswith("training") and row.peer.startswith("PyTorch")]
        self.assertEqual(len(trained), 4)
        for row in trained:
            ours, theirs = shlex.split(row.ours), shlex.split(row.theirs)
            for flag in ("--split-file", "--batch", "--threads"):
                self.assertEqual(ours[ours.index(flag) + 1], theirs[theirs.index(flag) + 1], row)
            self.assertIn("a b.csv", ours)
            self.assertIn("a b.csv", theirs)
            lazy = "lazy-rows=true" in ours
            self.assertEqual(theirs[theirs.index("--adam") + 1], "sparse" if lazy else "dense")

    def test_a_peer_that_is_not_there_is_left_out(self):
        there = [table.is_there(row) for row in table.rows(self.options(), 1)]
        self.assertEqual(set(there), {False})
        rows = table.rows(self.options(python=sys.executable), 1)
        self.assertEqual({row.peer.split(",")[0] for row in rows if table.is_there(row)},
                         {"PyTorch", "onnxruntime"})

    def test_a_row_is_written_with_its_spread_and_what_others_took(self):
        row = table.rows(self.options(), 1)[0]
        found = pairs.summary([100, 300, 200], [100, 100, 100])
        written = table.line(row, 1, found, table.others_share((10, 4), (16, 9), 5, 2))
        self.assertIn("| 200 / 100 | 2.00 (1.00 to 3.00) | 10 % |", written)
        self.assertEqual(table.others_share((0, 0), (4, 5), 5, 2), 0.0)


if __name__ == "__main__":
    unittest.main()
