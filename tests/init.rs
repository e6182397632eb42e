//! What the program writes about itself: a configuration to start from, completions, a manual page.

mod common;

use common::Dir;

const DATA: &str = "Word,Tag\nAnn,B-per\nleft,O\nRome,B-geo\n,\nBob,B-per\nslept,O\n";

#[test]
fn a_new_configuration_has_every_key_and_trains_as_the_preset_does() {
    let dir = Dir::new();
    dir.write("data.csv", DATA);
    dir.run(&["init", "data.csv"]).expect(0).says(&["longhand.toml", "fast"]);
    let text = dir.read("longhand.toml");
    for part in ["data.csv (UTF-8, token=Word,tag=Tag)", "2 sentences, 5 tokens", "geo 1, per 2"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    for key in train::config::keys() {
        assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
    }
    let read = train::Config::resolve(None, Some(("longhand.toml".as_ref(), &text)), &[]).unwrap();
    assert_eq!(read, train::Config::preset("fast").unwrap());
    // The preset itself is in it, comments and all.
    assert!(text.ends_with(train::config::PRESETS[0].1));
}

#[test]
fn a_configuration_that_is_there_is_kept_unless_told_otherwise() {
    let dir = Dir::new();
    dir.write("my.toml", "epochs = 3\n");
    dir.run(&["init", "-o", "my.toml"]).expect(2).says(&["E050", "--force"]);
    assert_eq!(dir.read("my.toml"), "epochs = 3\n");
    dir.run(&["init", "-o", "my.toml", "--force", "--preset", "tutorial"]).expect(0);
    assert!(dir.read("my.toml").contains("preset = \"tutorial\""));
    let out = dir.run(&["init", "-o", "-"]).expect(0).out;
    assert!(out.contains("epochs = ") && !dir.path("-").exists());
    dir.run(&["init", "--preset", "tutorail"]).expect(2).says(&["E040", "`tutorial`"]);
}

#[test]
fn every_shell_gets_its_completions_and_other_names_are_refused() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = dir.run(&["completions", shell]).expect(0).out;
        assert!(script.contains("longhand") && script.contains("convert"), "{shell}");
    }
    dir.run(&["completions", "bsh"]).expect(2).says(&["bash"]);
}

#[test]
fn the_manual_page_describes_every_command() {
    let page = Dir::new().run(&["man"]).expect(0).out;
    assert!(page.contains(".TH longhand 1"), "{page}");
    for command in ["TRAIN", "TAG", "EVAL", "INFO", "CHECK", "SCORE", "CONVERT", "INIT"] {
        assert!(page.contains(&format!(".SH \"LONGHAND {command}\"")), "{command}");
    }
    // The program's own options stand once.
    assert_eq!(page.matches("No progress, no remarks").count(), 1);
}
