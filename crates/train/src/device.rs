//! Who makes the steps of a run, and who tags: this processor, or a GPU.

use std::str::FromStr;

use data::{Error, Result};
use ndarray::Array2;
use nn::tagger::{Input, Tagger};
use tensor::AdamRates;

use crate::trainer::Trainer;

/// What `--device` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// This processor.
    #[default]
    Cpu,
    /// The GPU, or nothing.
    Cuda,
    /// The GPU if there is one that can do it, otherwise this processor.
    Auto,
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "auto" => Ok(Self::Auto),
            _ => Err(Error::new("E041", format!("device must be cpu, cuda or auto, not `{text}`"))),
        }
    }
}

/// One step of a run.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Its sentences.
    pub sentences: &'a [u32],
    /// Those of the step after it, to be made ready while this one runs.
    pub next: Option<&'a [u32]>,
    /// The numbers of Adam; clipping is the device's.
    pub rates: AdamRates<f32>,
    /// Share of the average of the weights that is kept, if the weights are taken in at this step.
    pub average: Option<f32>,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// Σ loss.
    pub loss: f64,
    /// Positions whose own best tag is the right one.
    pub right: usize,
    /// Whether loss and gradient are finite; if not, no weight has moved.
    pub finite: bool,
}

/// Something that makes steps in place of this processor.
pub trait Device {
    /// What it is, for people.
    fn name(&self) -> String;

    /// Before an epoch: takes weights and moments.
    ///
    /// # Errors
    /// E063 if the device fails, here and below.
    fn push(&mut self, trainer: &Trainer) -> Result<()>;

    /// Forward, backward and Adam for a batch.
    fn step(&mut self, trainer: &Trainer, job: &Job<'_>) -> Result<Done>;

    /// After an epoch: gives weights and moments back.
    fn pull(&mut self, trainer: &mut Trainer) -> Result<()>;
}

/// Something that tags in place of this processor.
pub trait Tags: Send + Sync {
    /// What it is, for people.
    fn name(&self) -> String;

    /// Best tags and scores of these tokens, each if it is asked for.
    ///
    /// # Errors
    /// E063 if the device fails.
    fn tag(&self, input: &Input, tags: bool, scores: bool) -> Result<Answer>;
}

/// What tokens were given, laid out as their packing has them; empty where it was not asked for.
#[derive(Clone, Debug)]
pub struct Answer {
    /// (N) the best tags: along the best path, where tags are decided on together.
    pub tags: Vec<u32>,
    /// (N, K) scores.
    pub scores: Array2<f32>,
}

/// A device, if one is to be used, and what to say of why not.
pub type Found<D> = (Option<D>, Option<String>);

/// The device for a run; none is this processor. With [`Choice::Auto`] and no GPU that can do it, the
/// second is why not.
///
/// # Errors
/// E059 if the GPU was asked for and cannot do it, E063 if it fails.
pub fn open(choice: Choice, trainer: &Trainer) -> Result<Found<Box<dyn Device + Send + Sync>>> {
    #[cfg(feature = "cuda")]
    let found = found(choice, |machine| Ok(Box::new(crate::gpu::Gpu::new(machine, trainer)?) as _));
    #[cfg(not(feature = "cuda"))]
    let (found, _) = (nothing(choice), trainer);
    found
}

/// As [`open`], for a model that tags.
///
/// # Errors
/// As [`open`].
pub fn open_to_tag(choice: Choice, tagger: &Tagger<f32>) -> Result<Found<Box<dyn Tags>>> {
    #[cfg(feature = "cuda")]
    let found =
        found(choice, |machine| Ok(Box::new(crate::gpu::GpuTags::new(machine, tagger)?) as _));
    #[cfg(not(feature = "cuda"))]
    let (found, _) = (nothing(choice), tagger);
    found
}

#[cfg(feature = "cuda")]
fn found<D>(
    choice: Choice,
    make: impl FnOnce(Box<dyn cuda::Machine>) -> std::result::Result<D, cuda::CudaError>,
) -> Result<Found<D>> {
    if choice == Choice::Cpu {
        return Ok((None, None));
    }
    match cuda::gpu().and_then(make) {
        Ok(device) => Ok((Some(device), None)),
        Err(e) if choice == Choice::Auto => Ok((None, Some(e.to_string()))),
        Err(e) => Err(crate::gpu::error(&e)),
    }
}

/// This build knows no device but this processor.
#[cfg(not(feature = "cuda"))]
fn nothing<D>(choice: Choice) -> Result<Found<D>> {
    let why = "this build has no CUDA support; rebuild with --features cuda";
    match choice {
        Choice::Cpu => Ok((None, None)),
        Choice::Auto => Ok((None, Some(why.into()))),
        Choice::Cuda => Err(Error::new("E059", why).help("or --device cpu")),
    }
}
