//! A tagger made ready gives the scores of [`Tagger::scores`] to the bit: whatever the network, the sentences,
//! and what it was asked before.

use ndarray::Array2;
use nn::chars::Spellings;
use nn::packing::Packing;
use nn::ready::Ready;
use nn::tagger::{
    CharKind, CharSpec, Head, Input, LayerKind, LayerSpec, Spec, Tagger, VectorSpec, WideSpec,
};
use proptest::prelude::*;
use tensor::Real;
use tensor::simd::{Level, with_level};

/// Words of the vocabulary, and rows of a further table.
const WORDS: usize = 9;
const FURTHER: usize = 4;

fn layer(kind: LayerKind, n_hidden: usize) -> LayerSpec {
    LayerSpec { kind, n_hidden, dropout: 0.2, recurrent_dropout: 0.0 }
}

/// Networks of every kind of part; the one that looks words up and those that cannot.
fn specs() -> Vec<Spec> {
    let (lstm, both) = (LayerKind::Lstm, LayerKind::BiLstm);
    let plain = |encoder| Spec::plain(WORDS, 12, encoder, 5, Head::Softmax);
    let tables = |spec: Spec| Spec {
        tables: vec![("table".into(), WORDS), ("further".into(), FURTHER)],
        ..spec
    };
    let vectors = Some(VectorSpec { rows: 6, columns: 7, tuned: false });
    let chars = |kind| Some(CharSpec { kind, n_chars: 6, n_in: 4, n_out: 6 });
    vec![
        plain(vec![layer(both, 16), layer(lstm, 19)]),
        plain(vec![layer(lstm, 64)]),
        Spec { residual: true, ..plain(vec![layer(both, 8), layer(lstm, 16), layer(both, 8)]) },
        tables(Spec {
            wide: Some(WideSpec { rows: 11, dropout: 0.3 }),
            ..plain(vec![layer(both, 33)])
        }),
        tables(Spec {
            wide: Some(WideSpec { rows: 11, dropout: 0.3 }),
            members: 3,
            ..plain(vec![layer(both, 5)])
        }),
        Spec { vectors, ..plain(vec![layer(both, 16)]) },
        Spec { chars: chars(CharKind::Cnn), ..plain(vec![layer(lstm, 7), layer(both, 40)]) },
        Spec { chars: chars(CharKind::Lstm), vectors, ..tables(plain(vec![layer(both, 16)])) },
        plain(vec![]),
    ]
}

/// Tokens with rows drawn from `draw`, in sentences of these lengths.
fn input(spec: &Spec, lengths: &[usize], draw: &[u32]) -> Input {
    let packing = Packing::new(lengths.to_vec());
    let n = packing.rows();
    let number = |i: usize| draw[i % draw.len()].wrapping_add(i as u32 / 7);
    let words = (0..n).flat_map(|i| {
        let rows = spec.tables.iter().enumerate();
        rows.map(move |(t, (_, v))| number(2 * i + t) % *v as u32)
    });
    let mut input = Input::words(words.collect(), &packing);
    if let Some(wide) = spec.wide {
        input.wide = (0..3 * n).map(|i| number(i) % wide.rows as u32).collect();
    }
    if spec.chars.is_some() {
        let spellings = Spellings::new(vec![1, 2, 3, 4, 5, 0], vec![0, 3, 5, 6]);
        input.chars = Some((spellings, (0..n).map(|i| number(i) % 3).collect()));
    }
    if let Some(vectors) = spec.vectors {
        input.vectors = (0..n).map(|i| number(i) % vectors.rows as u32).collect();
    }
    input
}

fn bits<F: Real>(scores: &Array2<F>) -> Vec<u64> {
    scores.iter().map(|v| v.f64().to_bits()).collect()
}

/// One tagger, asked for several batches one after the other.
fn check<F: Real>(spec: Spec, batches: &[(Vec<usize>, Vec<u32>)]) {
    let mut tagger = Tagger::<F>::new(spec, 3);
    if let Some(v) = tagger.spec.vectors {
        tagger.set_vectors(Array2::from_shape_fn((v.rows, v.columns), |(i, j)| {
            F::of((i * 5 + j) as f64 / 9.0)
        }));
    }
    let ready = Ready::new(&tagger);
    for (lengths, draw) in batches {
        let input = input(&tagger.spec, lengths, draw);
        let want = tagger.scores(input.clone());
        assert_eq!(bits(&ready.scores(&tagger, input)), bits(&want), "{lengths:?}");
    }
}

fn batch() -> impl Strategy<Value = (Vec<usize>, Vec<u32>)> {
    let lengths = proptest::collection::vec(1..12usize, 1..8).prop_map(|mut lengths| {
        lengths.sort_by_key(|&n| std::cmp::Reverse(n));
        lengths
    });
    (lengths, proptest::collection::vec(0..40u32, 1..30))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn scores_are_those_of_the_plain_path_to_the_bit(
        which in 0..specs().len(),
        batches in proptest::collection::vec(batch(), 1..5),
    ) {
        for level in Level::available() {
            with_level(level, || check::<f32>(specs()[which].clone(), &batches));
        }
        check::<f64>(specs()[which].clone(), &batches);
    }
}

#[test]
fn a_single_token_and_no_token_at_all_are_tagged_too() {
    for spec in specs() {
        check::<f32>(spec.clone(), &[(vec![1], vec![0]), (vec![1], vec![0])]);
        check::<f32>(spec, &[(vec![1, 1], vec![3])]);
    }
    check::<f32>(specs()[0].clone(), &[(vec![], vec![0])]);
}

#[test]
fn few_tokens_and_many_may_come_in_turn() {
    let (few, many) = ((vec![9, 4], vec![3, 1, 4]), (vec![30; 9], vec![1, 5, 9, 2, 6]));
    for spec in specs() {
        check::<f32>(spec, &[few.clone(), many.clone(), few.clone()]);
    }
}

#[test]
fn at_another_level_than_it_was_made_for_it_is_the_plain_path() {
    let tagger = Tagger::<f32>::new(specs()[0].clone(), 3);
    let input = input(&tagger.spec, &[4, 2], &[3, 1, 4, 1, 5]);
    let ready = Ready::new(&tagger);
    for level in Level::available() {
        with_level(level, || {
            let want = tagger.scores(input.clone());
            assert_eq!(bits(&ready.scores(&tagger, input.clone())), bits(&want), "{level}");
        });
    }
}

#[test]
fn many_threads_may_ask_at_once() {
    let tagger = Tagger::<f32>::new(specs()[3].clone(), 3);
    let ready = Ready::new(&tagger);
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (tagger, ready) = (&tagger, &ready);
            scope.spawn(move || {
                for k in 0..50 {
                    let input = input(&tagger.spec, &[5, 3, 1], &[start, k, 3 * k + start]);
                    let want = tagger.scores(input.clone());
                    assert_eq!(bits(&ready.scores(tagger, input)), bits(&want));
                }
            });
        }
    });
}
