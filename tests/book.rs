//! The gradient book says what is so: its passages stand in the source, its links lead somewhere, its
//! formulas can be read, its commands name tests that exist, its tables are those of the files beside it.
//!
//! After a change of the source, `LONGHAND_BOOK=write cargo test --release --test book` writes passages and
//! tables anew; then read what changed.

use std::path::{Path, PathBuf};

#[path = "../docs/book/math.rs"]
mod math;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The chapters, and the pages beside the book that it leads to.
fn pages() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("docs/book/src")).expect("the book");
    let files = folder.map(|entry| entry.expect("a file").path());
    let mut pages: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == "md")).collect();
    pages.extend(["docs/reading.md", "docs/gradient-mutations.md"].map(|page| root().join(page)));
    pages.sort();
    pages
}

/// The code of a file without its tests.
fn code_of(file: &str) -> String {
    let text = read(&root().join(file));
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

/// What `selector` means in `file`: `fn NAME`, `equations`, or `lines FIRST … LAST`.
fn passage(file: &str, selector: &str) -> String {
    let code = code_of(file);
    let lines: Vec<&str> = code.lines().collect();
    let wrong = || -> usize { panic!("{file} has no `{selector}`") };
    let find = |from: usize, test: &dyn Fn(&str) -> bool| {
        (from..lines.len()).find(|&i| test(lines[i])).unwrap_or_else(wrong)
    };
    let (first, last) = if let Some(name) = selector.strip_prefix("fn ") {
        let starts = [format!("fn {name}("), format!("fn {name}<")];
        let first = find(0, &|l| !l.contains("//") && starts.iter().any(|s| l.contains(s)));
        let indent = lines[first].len() - lines[first].trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        (first, find(first, &|l| l == close))
    } else if selector == "equations" {
        let first = find(0, &|l| l == "//! ```text") + 1;
        (first, find(first, &|l| l == "//! ```") - 1)
    } else if let Some(ends) = selector.strip_prefix("lines ") {
        let (a, b) = ends.split_once(" … ").unwrap_or((ends, ends));
        let first = find(0, &|l| l.contains(a));
        (first, find(first, &|l| l.contains(b)))
    } else {
        panic!("`{selector}` selects nothing that this test knows")
    };
    let text = |l: &&str| l.strip_prefix("//!").map_or(l.to_string(), |l| l.replacen(' ', "", 1));
    let passage: Vec<String> = lines[first..=last].iter().map(text).collect();
    let full = passage.iter().filter(|l| !l.is_empty());
    let indent = full.map(|l| l.len() - l.trim_start().len()).min().unwrap_or(0);
    passage.iter().map(|l| l.get(indent..).unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn quoted(file: &str, selector: &str) -> String {
    let language = if selector == "equations" { "text" } else { "rust" };
    format!("[`{file}`](../../../{file})\n\n```{language}\n{}\n```", passage(file, selector))
}

/// The named rows of a CSV of the book as a table; values in its first column are the names. All rows if
/// the name is `all`.
fn table(page: &Path, file: &str, rows: &str) -> String {
    let text = read(&page.with_file_name(file));
    let cells = |line: &str| format!("| {} |", line.replace('"', "").replace(',', " | "));
    // Names of columns may hold commas; they stand in quotation marks.
    let (head, body) = text.split_once('\n').expect("a line of names");
    let head = head.split('"').enumerate();
    let head: String = head
        .map(|(i, part)| if i % 2 == 1 { part.replace(',', ";") } else { part.to_owned() })
        .collect();
    let named = |row| {
        let line = body.lines().find(|l| l.split(',').next() == Some(row));
        cells(line.unwrap_or_else(|| panic!("{file} has no row {row}")))
    };
    let wanted: Vec<String> = match rows {
        "all" => body.lines().map(cells).collect(),
        _ => rows.split(' ').map(named).collect(),
    };
    let rule = "|---".repeat(head.split(',').count()) + "|";
    [vec![cells(&head), rule], wanted].concat().join("\n")
}

/// The page with every block between `<!-- quote: … -->` or `<!-- rows: … -->` and `<!-- end -->` made anew.
fn renewed(page: &Path, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("<!-- quote: ").into_iter().chain(rest.find("<!-- rows: ")).min()
    {
        let (before, after) = rest.split_at(at);
        let (mark, after) = after.split_once(" -->\n").expect("a mark ends");
        let (_, after) =
            after.split_once("<!-- end -->").unwrap_or_else(|| panic!("{mark}: no end"));
        let (kind, what) = mark.trim_start_matches("<!-- ").split_once(": ").expect("a kind");
        let (file, selector) = what.split_once(' ').expect("a file and what of it");
        let block = match kind {
            "quote" => quoted(file, selector),
            _ => table(page, file, selector),
        };
        out += &format!("{before}{mark} -->\n{block}\n<!-- end -->");
        rest = after;
    }
    out + rest
}

#[test]
fn passages_and_tables_stand_as_they_are_in_their_files() {
    let write = std::env::var("LONGHAND_BOOK").is_ok_and(|v| v == "write");
    let mut passages = 0;
    for page in pages() {
        let text = read(&page);
        let new = renewed(&page, &text);
        passages += text.matches("<!-- quote: ").count();
        if write {
            std::fs::write(&page, &new).expect("the page can be written");
        } else {
            let differs = text.lines().zip(new.lines()).find(|(a, b)| a != b);
            let help = "run LONGHAND_BOOK=write cargo test --release --test book";
            assert!(text == new, "{}: {differs:?}; {help}", page.display());
        }
    }
    assert!(passages > 20, "only {passages} passages were found");
}

#[test]
fn links_lead_to_files() {
    for page in pages() {
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") || target.starts_with('#') || target.contains(' ') {
                continue;
            }
            let file = target.split('#').next().expect("a part before #");
            let at = page.parent().expect("a folder").join(file);
            assert!(at.exists(), "{}: {target} leads nowhere", page.display());
        }
    }
}

#[test]
fn every_chapter_is_in_the_contents() {
    let contents = read(&root().join("docs/book/src/SUMMARY.md"));
    for page in pages().iter().filter(|p| p.parent().is_some_and(|p| p.ends_with("book/src"))) {
        let name = page.file_name().expect("a file").to_string_lossy();
        assert!(name == "SUMMARY.md" || contents.contains(&*name), "{name} is in no contents");
    }
}

#[test]
fn every_chapter_derives_shows_asks_and_lets_check_and_names_the_command_of_each_figure() {
    let mut chapters = 0;
    for page in pages().iter().filter(|p| p.parent().is_some_and(|p| p.ends_with("book/src"))) {
        let text = read(page);
        let name = page.file_name().expect("a file").to_string_lossy();
        let figures = text.contains("](figures/") || text.contains("<!-- rows: ");
        if figures {
            assert!(text.contains("cargo run --release --example book_figures"), "{name}");
        }
        if ["SUMMARY.md", "introduction.md"].contains(&&*name) {
            continue;
        }
        chapters += 1;
        for part in [
            "<!-- quote: crates/",
            "\n## Check\n",
            "```sh\ncargo test",
            "\n## Exercise",
            "**Answer",
        ] {
            assert!(text.contains(part), "{name} has no {part:?}");
        }
        let derived = text.contains("\n## Derivation\n") || name == "postmortem.md";
        assert!(derived && !math::formulas(&text).is_empty(), "{name} derives nothing");
    }
    assert_eq!(chapters, 13);
}

#[test]
fn every_figure_that_is_made_stands_in_a_chapter() {
    let text: String = pages().iter().map(|p| read(p)).collect();
    for entry in std::fs::read_dir(root().join("docs/book/src/figures")).expect("figures") {
        let name = entry.expect("a file").file_name().to_string_lossy().into_owned();
        assert!(text.contains(&format!("figures/{name}")), "{name} is in no chapter");
    }
}

/// Whether every sign of less begins a tag, whose attributes stand apart.
fn is_html(text: &str) -> bool {
    text.split('<').skip(1).all(|tag| {
        let inside = tag.split('>').next().unwrap_or_default();
        let names = inside.split('"').step_by(2).skip(1);
        !inside.is_empty() && names.into_iter().all(|n| n.is_empty() || n.starts_with(' '))
    })
}

#[test]
fn formulas_can_be_read() {
    let mut formulas = 0;
    for page in pages() {
        let text = read(&page);
        for formula in math::formulas(&text) {
            formulas += 1;
            let latex = formula.latex;
            let html = math::mathml(latex, formula.block);
            let html = html.unwrap_or_else(|e| panic!("{}: {e:?}: {latex}", page.display()));
            assert!(is_html(&html), "{}: {latex} becomes {html}", page.display());
        }
        // One that is broken over two lines would stand there as it is written.
        let halves = |l: &&str| l.matches("$`").count() != l.matches("`$").count();
        assert_eq!(text.lines().find(halves), None, "{}", page.display());
    }
    assert!(formulas > 50, "only {formulas} formulas were found");
}

#[test]
fn links_out_of_the_book_are_none_to_its_pages() {
    let text = "[a](../../a.md) and [b](b.md), [c](../../../crates/c.rs)";
    assert_eq!(math::outside(text), "[a](../../a.%6Dd) and [b](b.md), [c](../../../crates/c.rs)");
    assert_eq!(math::outside("none"), "none");
}

/// All Rust source under `folder`.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|e| e == "rs") {
            text += &read(&path);
        }
    }
    text
}

#[test]
fn commands_name_tests_that_exist() {
    let mut commands = 0;
    for page in pages() {
        for line in read(&page).lines().filter(|l| l.starts_with("cargo test ")) {
            let command = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = command.split_whitespace().collect();
            let after = |flag: &str| Some(words[words.iter().position(|w| *w == flag)? + 1]);
            let package = after("-p").map(|p| p.trim_start_matches("longhand-"));
            let folder = package.map_or(root().join("tests"), |p| root().join("crates").join(p));
            let text = match after("--test").or(after("--example")) {
                Some(_) if package.is_some() => sources(&folder),
                Some(name) => read(&root().join(format!("tests/{name}.rs"))),
                None => sources(&folder),
            };
            let last = words[words.len() - 1];
            let flag_value =
                [after("--test"), after("--example"), after("-p")].contains(&Some(last));
            if !flag_value {
                let name = last.rsplit("::").next().expect("a name");
                assert!(text.contains(&format!("fn {name}")), "{}: {line}", page.display());
            }
            commands += 1;
        }
    }
    assert!(commands >= 12, "only {commands} commands were found");
}

#[test]
fn lines_that_are_broken_on_purpose_are_there_to_be_broken() {
    let (mut file, mut rows) = (String::new(), 0);
    for line in read(&root().join("docs/gradient-mutations.md")).lines() {
        if let Some(name) = line.strip_prefix("## `").and_then(|l| l.strip_suffix('`')) {
            file = code_of(name);
        } else if line.starts_with("| `") {
            let line = line.replace("\\|", "\u{1}");
            let cell = line.split('|').nth(1).expect("a cell").trim().trim_matches('`');
            let cell = cell.replace('\u{1}', "|");
            assert!(file.lines().any(|l| l.trim() == cell), "no line `{cell}` any more");
            rows += 1;
        }
    }
    assert!(rows > 90, "only {rows} rows were found");
}
