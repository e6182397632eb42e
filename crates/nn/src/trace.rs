//! What every LSTM of a tagger did at every token: for looking at, not for training.
//!
//! A cache holds it all already; [`crate::tagger::Cache::walks`] reads it out, under the letters of
//! [`crate::lstm_cell`].

use ndarray::{Array2, s};
use tensor::Real;

use crate::lstm;
use crate::packing::Direction;

/// One walk of one LSTM over a packed batch.
#[derive(Clone, Debug)]
pub struct Walk<F> {
    /// The layer, as its weights are called: `encoder.0.backward`.
    pub name: String,
    /// The way it walked.
    pub direction: Direction,
    /// (N, H) each: the gates i f g o.
    pub gates: [Array2<F>; 4],
    /// (N, H) the cell's state.
    pub c: Array2<F>,
    /// (N, H) what it gives out.
    pub h: Array2<F>,
}

impl<F: Real> Walk<F> {
    pub(crate) fn new(name: String, cache: &lstm::Cache<F>) -> Self {
        let n_hidden = cache.c.ncols();
        let gate =
            |k: usize| cache.gates.slice(s![.., k * n_hidden..(k + 1) * n_hidden]).to_owned();
        let gates = [0, 1, 2, 3].map(gate);
        let h = &gates[3] * &*cache.tanh_c;
        Self { name, direction: cache.direction, gates, c: (*cache.c).clone(), h }
    }
}

#[cfg(test)]
mod tests {
    use crate::Packing;
    use crate::tagger::{Head, Input, Layer, LayerKind, LayerSpec, Spec, Tagger};

    #[test]
    fn a_walk_holds_the_states_that_the_equations_give_and_the_output_of_the_layer() {
        let layer = |kind| LayerSpec { kind, n_hidden: 3, dropout: 0.0, recurrent_dropout: 0.0 };
        let encoder = vec![layer(LayerKind::BiLstm), layer(LayerKind::Lstm)];
        let tagger = Tagger::<f64>::new(Spec::plain(7, 4, encoder, 5, Head::Softmax), 1);
        let packing = Packing::new(vec![4, 2]);
        let input = Input::words(vec![1, 2, 3, 4, 5, 6], &packing);
        let (scores, cache) = tagger.forward(input, None);
        let walks = cache.walks();
        let names: Vec<&str> = walks.iter().map(|w| w.name.as_str()).collect();
        assert_eq!(names, ["encoder.0.forward", "encoder.0.backward", "encoder.1"]);
        for walk in &walks {
            let [i, f, g, o] = &walk.gates;
            for step in walk.direction.walk(&packing) {
                for (r, row) in step.rows.clone().enumerate() {
                    for u in 0..3 {
                        let before =
                            if r < step.carried() { walk.c[[step.prev.start + r, u]] } else { 0.0 };
                        let c = f[[row, u]] * before + i[[row, u]] * g[[row, u]];
                        assert!((walk.c[[row, u]] - c).abs() < 1e-15);
                        assert!((walk.h[[row, u]] - o[[row, u]] * c.tanh()).abs() < 1e-15);
                    }
                }
            }
        }
        assert!(matches!(tagger.network.encoder[1], Layer::Lstm(_)));
        let (again, _) = tagger.network.dense.forward(walks[2].h.clone());
        assert_eq!(again, scores);
    }
}
