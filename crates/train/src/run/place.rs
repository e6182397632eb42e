//! Whose a run's folder is: what stands there, who may write, and how a new run takes the place of an old one.
//!
//! `--force` trains in `unfinished/`, which is marked with a file [`MARK`], and the old run is not touched until the new one has
//! all of its files. Then these are moved up, the model first, `scores.json`, which says that a run is finished, last, and the
//! mark is removed. Whoever is stopped in between leaves a marked folder with a finished run, and the next one to claim the
//! folder goes on with the moves.

use std::fs;
use std::path::Path;

use data::{Error, Result};

use super::{FILES, IfThere, RunFolder};
use crate::config::Config;
use crate::files::{TEMPORARY, cannot_write, lock_folder, make_folder, write_atomically};

/// In `unfinished/`: that it is to replace the run above.
const MARK: &str = "replaces";

impl RunFolder {
    /// Looks at `path` and changes nothing yet, but for a finished run that was stopped while it took its place.
    ///
    /// # Errors
    /// E012 if it holds a run and `if_there` is [`IfThere::Refuse`], or another training is at work there; E042 if that
    /// finished run cannot be moved; E043 if there is nothing to resume.
    pub fn claim(path: &Path, if_there: IfThere) -> Result<Self> {
        if path.exists() && !path.is_dir() {
            let message = format!("{} is a file, and a run is a folder", path.display());
            return Err(Error::new("E012", message).help("another name with `-o`"));
        }
        let next = Self::next_of(path);
        if next.is_marked() && next.is_finished() {
            next.take_place()?;
        } else if next.is_marked() && !next.holds_anything() && lock_folder(path).is_ok() {
            next.remove(); // all of it was moved
        }
        Ok(Self { claimed: Some(if_there), ..Self::decide(path, if_there)? })
    }

    /// The run that is to take the place of that in `path`.
    fn next_of(path: &Path) -> Self {
        Self { replaces: Some(path.into()), ..Self::at(path.join("unfinished")) }
    }

    /// Where to train, by what there is.
    fn decide(path: &Path, if_there: IfThere) -> Result<Self> {
        let (folder, next) = (Self::at(path.to_owned()), Self::next_of(path));
        let ours = next.is_marked();
        let anew = ours && next.has_progress();
        let there = folder.holds().or_else(|| next.holds().filter(|_| ours));
        match if_there {
            IfThere::Refuse => there.map_or(Ok(()), |name| Err(folder.is_taken(name, anew)))?,
            IfThere::Resume if anew => return Ok(next),
            IfThere::Resume => folder.has_something_to_resume()?,
            IfThere::Overwrite if there.is_none() => {}
            IfThere::Overwrite if next.holds_anything() && !ours => {
                let message =
                    format!("{} holds something that `--force` did not begin", next.path.display());
                return Err(Error::new("E012", message)
                    .help("the new run is trained there; move it, or another folder with `-o`"));
            }
            IfThere::Overwrite => return Ok(next),
        }
        Ok(folder)
    }

    /// E012 for a folder with a file `name`, and whether a run in `unfinished/` is `anew`.
    fn is_taken(&self, name: &str, anew: bool) -> Error {
        let (finished, begun) = (self.is_finished(), self.has_progress());
        let what = match (finished, begun) {
            (true, _) => "a finished run".to_owned(),
            (_, true) => "an interrupted run".to_owned(),
            _ => format!("a file of the name {name}"),
        };
        let what = if anew { what + ", and one begun to take its place" } else { what };
        let resume = match (anew, begun && !finished) {
            (true, _) => "`--resume` to go on with the latter, ",
            (_, true) => "`--resume` to go on with it, ",
            _ => "",
        };
        let message = format!("{} holds {what}", self.path.display());
        Error::new("E012", message)
            .help(format!("{resume}another folder with `-o`, or `--force` to write over it"))
    }

    /// # Errors
    /// E043 if not.
    fn has_something_to_resume(&self) -> Result<()> {
        let shown = self.path.display();
        if self.is_finished() {
            let message = format!("the run in {shown} is finished: there is nothing to resume");
            let error = Error::new("E043", message);
            return Err(match self.file("report.html").exists() {
                true => error,
                false => error.help(format!("for its page: longhand report {shown}")),
            });
        }
        if !self.has_progress() {
            let message = format!("{shown} holds no interrupted run: there is nothing to resume");
            return Err(Error::new("E043", message));
        }
        Ok(())
    }

    fn is_marked(&self) -> bool {
        self.file(MARK).exists()
    }

    /// The first file of a run that is there, in it or in the run within it.
    fn holds(&self) -> Option<&'static str> {
        let first = |run: &Self| FILES.into_iter().find(|name| run.file(name).exists());
        first(self).or_else(|| first(&self.without_dev()))
    }

    fn holds_anything(&self) -> bool {
        self.holds().is_some() || self.members().exists() || self.without_dev().members().exists()
    }

    /// Whether there is something to resume, in it or in the run within it.
    pub fn has_progress(&self) -> bool {
        let within = self.without_dev();
        self.has_begun() || within.has_begun() || within.holds().is_some()
    }

    /// Whether a training of this process writes there.
    pub fn is_begun_here(&self) -> bool {
        self.lock.get().is_some()
    }

    /// Makes the folder, without what an earlier run left, and puts the configuration on record.
    ///
    /// # Errors
    /// E012 if another training is at work there, or was since the folder was claimed; E042 if it cannot be written.
    pub fn begin(&self, config: &Config, if_there: IfThere) -> Result<()> {
        self.lock()?;
        make_folder(&self.path)?;
        if self.replaces.is_some() {
            write_atomically(&self.file(MARK), b"the run above, when this one is finished\n")?;
        }
        if if_there == IfThere::Overwrite {
            // An old result must not stand beside a new one.
            self.clear_but(&[]);
        }
        remove_leftovers(&self.path);
        // A run that is gone on with has its own already, which a run of other settings, soon refused, leaves alone; and
        // so has the second training of `refit`, of which the first was told what was asked for.
        let there = self.config().exists();
        if !there || if_there != IfThere::Resume && !config.refit {
            write_atomically(&self.config(), config.to_toml().as_bytes())?;
        }
        Ok(())
    }

    /// Keeps other trainings out for as long as this value lives. Nothing has changed since the folder was claimed.
    ///
    /// # Errors
    /// E012 if another is at work, or was.
    fn lock(&self) -> Result<()> {
        if self.is_begun_here() {
            return Ok(());
        }
        let place = self.replaces().unwrap_or(&self.path);
        make_folder(place)?;
        let lock = lock_folder(place)?;
        if let Some(if_there) = self.claimed
            && Self::decide(place, if_there)?.path != self.path
        {
            let message = format!("another training has written into {}", place.display());
            return Err(Error::new("E012", message).help("look what is there, and start again"));
        }
        self.lock.get_or_init(|| lock);
        Ok(())
    }

    /// Removes what a run writes, that of the run within it too. What is not there is fine.
    fn clear_but(&self, kept: &[&str]) {
        for name in FILES.iter().filter(|name| !kept.contains(name)) {
            let _ = fs::remove_file(self.file(name));
        }
        let _ = fs::remove_dir_all(self.members());
        if self.without_dev().path.exists() {
            self.without_dev().clear_but(&[]);
            let _ = fs::remove_dir(self.without_dev().path); // if nothing of another's is in it
        }
    }

    /// Removes what a finished run needs no more.
    pub(super) fn clear_progress(&self) {
        let _ = fs::remove_file(self.checkpoint());
        let _ = fs::remove_dir_all(self.members());
    }

    /// Removes its mark, if it has one, and the folder if nothing of another's is in it.
    fn remove(&self) {
        if self.replaces.is_some() {
            let _ = fs::remove_file(self.file(MARK));
        }
        let _ = fs::remove_dir(&self.path);
    }

    /// A finished run takes the place of the one that it replaces, if it replaces one. What is in the folder besides runs is
    /// left alone.
    ///
    /// # Errors
    /// E012 if another training is at work there, E042 if a file cannot be moved.
    pub fn take_place(self) -> Result<Self> {
        let Some(path) = self.replaces.clone() else { return Ok(self) };
        self.lock()?;
        let place = Self::at(path);
        for run in [&self, &self.without_dev()] {
            run.clear_progress();
            remove_leftovers(&run.path);
        }
        if self.model().exists() {
            // Nothing is moved yet. That it can be is tried before the old run loses anything; and model and configuration
            // will be replaced: there is a model at any time.
            self.try_to_move(&place)?;
            place.clear_but(&["model.safetensors", "config.toml"]);
        }
        self.move_file("model.safetensors", &place)?;
        if self.without_dev().path.exists() {
            make_folder(&place.without_dev().path)?;
            self.without_dev().move_files(&place.without_dev())?;
        }
        self.move_files(&place)?;
        Ok(place)
    }

    /// # Errors
    /// E042 if files cannot be moved to `place`.
    fn try_to_move(&self, place: &Self) -> Result<()> {
        let name = format!("{TEMPORARY}try");
        let moved = fs::write(self.file(&name), b"")
            .and_then(|()| fs::rename(self.file(&name), place.file(&name)));
        let _ = fs::remove_file(self.file(&name));
        let _ = fs::remove_file(place.file(&name));
        moved.map_err(|e| {
            let whole = format!("the new run is whole in {}", self.path.display());
            cannot_write(&place.path, &e).help(whole)
        })
    }

    /// Moves all files of the run, `scores.json` last, and removes the folder.
    fn move_files(&self, to: &Self) -> Result<()> {
        for name in FILES.iter().rev() {
            self.move_file(name, to)?;
        }
        self.remove();
        Ok(())
    }

    fn move_file(&self, name: &str, to: &Self) -> Result<()> {
        let to = to.file(name);
        match fs::rename(self.file(name), &to) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(cannot_write(&to, &e)),
            _ => Ok(()),
        }
    }

    /// Removes a run that ended before anything was reached, so that the next one finds the folder as this one did. One that
    /// this process did not begin is left alone.
    pub fn leave_if_nothing_was_reached(&self) {
        if self.is_begun_here() {
            self.leave();
        }
    }

    fn leave(&self) {
        let members = fs::read_dir(self.members()).into_iter().flatten().flatten();
        let within = members.map(|member| member.path()).chain([self.without_dev().path]);
        for run in within.filter(|run| run.is_dir()) {
            Self::at(run).leave();
        }
        let _ = fs::remove_dir(self.members()); // if nothing is left in it
        let reached = self.has_begun() || self.model().exists() || self.without_dev().path.exists();
        if !reached && self.config().exists() {
            self.clear_but(&[]);
            self.remove();
        }
    }
}

/// Removes what a run that was killed had not yet given a name. If that fails, it only takes room.
fn remove_leftovers(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(TEMPORARY);
    for file in files.filter(|file| ours(&file.file_name())) {
        let _ = fs::remove_file(file.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        (dir, run)
    }

    /// A file of every name that a finished run has.
    fn finished(path: &Path) {
        fs::create_dir_all(path).unwrap();
        for name in FILES.iter().filter(|name| **name != "checkpoint") {
            fs::write(path.join(name), path.to_str().unwrap()).unwrap();
        }
    }

    /// A finished run and one to take its place, both as large as can be.
    fn with_next(path: &Path) -> RunFolder {
        let next = RunFolder::next_of(path);
        for run in [path, &next.path] {
            finished(run);
            finished(&run.join("without-dev"));
        }
        fs::write(next.file(MARK), b"").unwrap();
        next
    }

    fn is_new(path: &Path) -> bool {
        let new = |file: &Path| fs::read_to_string(file).unwrap().contains("unfinished");
        let all = |run: &Path| {
            let there = FILES.iter().filter(|name| **name != "checkpoint");
            there.into_iter().all(|name| new(&run.join(name)))
        };
        all(path) && all(&path.join("without-dev")) && !path.join("unfinished").exists()
    }

    #[test]
    fn what_another_training_has_begun_is_not_cleared_away() {
        let (_dir, path) = folder();
        finished(&path);
        let ours = RunFolder::claim(&path, IfThere::Overwrite).unwrap();
        ours.begin(&Config::preset("fast").unwrap(), IfThere::Overwrite).unwrap();
        RunFolder::claim(&path, IfThere::Overwrite).unwrap().leave_if_nothing_was_reached();
        assert!(ours.config().exists());
        ours.leave_if_nothing_was_reached();
        assert!(!ours.path().exists() && path.join("scores.json").exists());
    }

    #[test]
    fn a_file_of_the_marks_name_in_a_run_of_its_own_stays() {
        let (_dir, path) = folder();
        fs::create_dir(&path).unwrap();
        fs::write(path.join(MARK), b"mine").unwrap();
        let run = RunFolder::claim(&path, IfThere::Refuse).unwrap();
        run.begin(&Config::preset("fast").unwrap(), IfThere::Refuse).unwrap();
        run.leave_if_nothing_was_reached();
        assert!(path.join(MARK).exists() && !run.config().exists());
    }

    #[test]
    fn a_run_that_came_to_be_after_the_folder_was_claimed_is_not_written_over() {
        for if_there in [IfThere::Refuse, IfThere::Overwrite] {
            let (_dir, path) = folder();
            let late = RunFolder::claim(&path, if_there).unwrap();
            finished(&path);
            let error = late.begin(&Config::preset("fast").unwrap(), if_there).unwrap_err();
            assert_eq!(error.code, "E012");
            late.leave_if_nothing_was_reached();
            assert!(FILES.iter().filter(|name| path.join(name).exists()).count() == 9);
        }
    }

    #[test]
    fn a_folder_of_the_name_unfinished_that_is_somebody_elses_stays() {
        let (_dir, path) = folder();
        finished(&path);
        finished(&path.join("unfinished"));
        for if_there in [IfThere::Refuse, IfThere::Overwrite] {
            let error = RunFolder::claim(&path, if_there).unwrap_err();
            assert_eq!(error.code, "E012");
        }
        assert_eq!(RunFolder::claim(&path, IfThere::Resume).unwrap_err().code, "E043");
        let model = fs::read_to_string(path.join("model.safetensors")).unwrap();
        assert!(!model.contains("unfinished") && path.join("unfinished/scores.json").exists());
    }

    /// A folder in the way stops the moves, as the end of the process would.
    #[test]
    fn stopped_at_any_move_it_goes_on_when_the_folder_is_claimed_again() {
        let places =
            FILES.iter().filter(|name| !["checkpoint", "model.safetensors"].contains(name));
        for name in places.flat_map(|name| [(*name).to_owned(), format!("without-dev/{name}")]) {
            let (_dir, path) = folder();
            let next = with_next(&path);
            let in_the_way = path.join(&name);
            fs::remove_file(&in_the_way).unwrap();
            fs::create_dir_all(in_the_way.join("mine")).unwrap();
            assert_eq!(next.take_place().unwrap_err().code, "E042", "{name}");
            let again = RunFolder::claim(&path, IfThere::Resume).unwrap_err();
            assert_eq!(again.code, "E042", "{name}");
            assert!(path.join("unfinished/scores.json").exists(), "{name}");
            assert!(path.join("model.safetensors").exists(), "{name}");
            fs::remove_dir_all(&in_the_way).unwrap();
            let again = RunFolder::claim(&path, IfThere::Resume).unwrap_err();
            assert_eq!(again.code, "E043", "{name}: {again}");
            assert!(is_new(&path), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn where_files_cannot_be_moved_the_old_run_loses_nothing() {
        let (_dir, path) = folder();
        let next = with_next(&path);
        let elsewhere = Path::new("/dev/shm");
        let Ok(elsewhere) = tempfile::tempdir_in(elsewhere) else { return };
        // On another file system nothing can be renamed to here.
        let there = elsewhere.path().join("unfinished");
        fs::create_dir(&there).unwrap();
        for name in FILES.iter().filter(|name| next.file(name).exists()) {
            fs::copy(next.file(name), there.join(name)).unwrap();
        }
        fs::remove_dir_all(&next.path).unwrap();
        std::os::unix::fs::symlink(&there, &next.path).unwrap();
        let before = fs::read_dir(&path).unwrap().count();
        match next.take_place() {
            Ok(_) => eprintln!("skipped: /dev/shm is no other file system"),
            Err(error) => {
                assert!(error.to_string().contains("whole in"), "{error}");
                assert_eq!(fs::read_dir(&path).unwrap().count(), before);
            }
        }
    }
}
