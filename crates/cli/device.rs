//! Where a model tags, as `--device` has it.

use train::Model;
use train::device::{self, Choice};
use train::tagging::Ready;

use crate::{Screen, say};

/// A model ready to tag on the device that was asked for.
///
/// # Errors
/// E059 if the GPU was asked for and cannot do it, E063 if it fails.
pub fn ready(model: Model, choice: Choice, screen: Screen) -> data::Result<Ready> {
    let (device, why_not) = device::open_to_tag(choice, &model.tagger)?;
    if let (Some(why), false) = (why_not, screen.quiet) {
        say(&format!("tagging on the CPU: {why}"));
    }
    let ready = Ready::new(model);
    Ok(match device {
        None => ready,
        Some(device) => {
            if !screen.quiet {
                say(&format!("tagging on {}", device.name()));
            }
            ready.on(device)
        }
    })
}

/// What to say at the end if a GPU failed on the way: an error if it was asked for, otherwise a line. What
/// was tagged is right, by this processor from there on.
///
/// # Errors
/// E063.
pub fn check(ready: &Ready, choice: Choice, screen: Screen) -> data::Result<()> {
    match ready.failure() {
        Some(e) if choice == Choice::Cuda => Err(e.clone()),
        Some(e) if !screen.quiet => {
            say(&format!("tagged on the CPU from where the GPU failed: {}", e.message));
            Ok(())
        }
        _ => Ok(()),
    }
}
