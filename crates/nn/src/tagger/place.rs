//! Where dropout masks are used: the names of their random numbers.

use crate::packing::Direction;

/// Where in the network a dropout mask is used: part of the name of its random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A recurrent layer of the encoder.
    Layer {
        /// Which, from the words up.
        l: usize,
        /// Which of its directions.
        direction: Direction,
        /// What the mask is on.
        on: On,
    },
    /// The input of the dense layer.
    Dense,
    /// The wide part.
    Wide,
}

/// What a mask of a recurrent layer is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Its input.
    Input,
    /// h on its way to the next step.
    Recurrent,
}

impl Place {
    /// Its number in the names of random streams.
    pub fn number(&self) -> u16 {
        match self {
            Place::Layer { l, direction, on } => {
                let direction = u16::from(*direction == Direction::Backward);
                let on = u16::from(matches!(on, On::Recurrent));
                4 * *l as u16 + 2 * direction + on
            }
            Place::Dense => u16::MAX,
            Place::Wide => u16::MAX - 1,
        }
    }
}
