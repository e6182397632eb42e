//! The gradient book's plain code: each piece as the formula has it, and held equal to the layer that does
//! the work. The book (docs/book/src) quotes these functions; tests/book.rs sees that it quotes them as
//! they stand.

use ndarray::{Array1, Array2, Axis, array, concatenate, s};
use nn::bilstm::BiLstm;
use nn::lstm::{Lstm, Masks};
use nn::tagger::{Head, Input, Layer, LayerKind, LayerSpec, Spec, Tagger};
use nn::{Direction, Packing, Params};
use tensor::random::{Purpose, Stream};

type Matrix = Array2<f64>;
type Vector = Array1<f64>;

/// (rows, columns) of numbers between −1 and 1; `which` names the draw.
fn draw(which: u32, rows: usize, columns: usize) -> Matrix {
    tensor::init::uniform(rows, columns, 1.0, &mut Stream::new(11, Purpose::Test, which, 0))
}

fn close(a: &Matrix, b: &Matrix) -> bool {
    a.dim() == b.dim() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
}

// Chapter 1: a dense layer.

fn dense_forward(x: &Matrix, w: &Matrix, b: &Vector) -> Matrix {
    let mut y = Matrix::zeros((x.nrows(), w.nrows()));
    for n in 0..x.nrows() {
        for k in 0..w.nrows() {
            y[[n, k]] = b[k];
            for d in 0..x.ncols() {
                y[[n, k]] += x[[n, d]] * w[[k, d]];
            }
        }
    }
    y
}

fn dense_backward(x: &Matrix, w: &Matrix, dy: &Matrix) -> (Matrix, Matrix, Vector) {
    let (mut dx, mut dw) = (Matrix::zeros(x.raw_dim()), Matrix::zeros(w.raw_dim()));
    let mut db = Vector::zeros(w.nrows());
    for n in 0..x.nrows() {
        for k in 0..w.nrows() {
            db[k] += dy[[n, k]];
            for d in 0..x.ncols() {
                dx[[n, d]] += dy[[n, k]] * w[[k, d]];
                dw[[k, d]] += dy[[n, k]] * x[[n, d]];
            }
        }
    }
    (dx, dw, db)
}

#[test]
fn three_loops_are_the_dense_layer() {
    let (x, w, b, dy) =
        (draw(0, 5, 3), draw(1, 4, 3), draw(2, 1, 4).row(0).to_owned(), draw(3, 5, 4));
    let layer = nn::dense::Dense { w: w.clone(), b: b.clone() };
    let (y, cache) = layer.forward(x.clone());
    assert!(close(&y, &dense_forward(&x, &w, &b)));
    let mut grads = layer.zeros_like();
    let dx = layer.backward(cache, &dy, &mut grads);
    let (want_dx, want_dw, want_db) = dense_backward(&x, &w, &dy);
    assert!(close(&dx, &want_dx) && close(&grads.w, &want_dw));
    assert!((grads.b - want_db).iter().all(|d| d.abs() < 1e-12));
}

// Chapter 2: softmax and cross-entropy.

fn softmax(s: &Vector) -> Vector {
    let e = s.mapv(f64::exp);
    let sum = e.sum();
    e / sum
}

fn cross_entropy_by_the_chain_rule(s: &Vector, y: usize) -> (f64, Vector) {
    let p = softmax(s);
    let mut dp = Vector::zeros(s.len());
    dp[y] = -1.0 / p[y];
    let jacobian =
        Matrix::from_shape_fn((s.len(), s.len()), |(j, k)| p[j] * (f64::from(j == k) - p[k]));
    (-p[y].ln(), jacobian.t().dot(&dp))
}

#[test]
fn the_jacobian_times_the_logarithms_slope_is_p_minus_one_at_the_right_tag() {
    let scores = draw(0, 1, 5);
    let (loss, ds) = nn::softmax::cross_entropy(scores.clone(), &[3], None, 1.0);
    let (want, want_ds) = cross_entropy_by_the_chain_rule(&scores.row(0).to_owned(), 3);
    assert!((loss - want).abs() < 1e-12);
    assert!(close(&ds, &want_ds.insert_axis(Axis(0))));
}

#[test]
fn the_naive_softmax_overflows_where_the_layer_does_not() {
    assert!(softmax(&array![1000.0, 0.0])[0].is_nan());
    let (loss, ds) = nn::softmax::cross_entropy(array![[1000.0, 0.0]], &[0], None, 1.0);
    assert_eq!((loss, ds), (0.0, array![[0.0, 0.0]]));
}

// Chapters 3 and 4: the cell, and one sentence through time.

fn sigmoid(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

/// What one unit of one sentence goes through in a step.
struct Unit {
    i: f64,
    f: f64,
    g: f64,
    o: f64,
    c_prev: f64,
    c: f64,
}

fn cell_forward([a_i, a_f, a_g, a_o]: [f64; 4], c_prev: f64) -> (f64, Unit) {
    let (i, f, g, o) = (sigmoid(a_i), sigmoid(a_f), a_g.tanh(), sigmoid(a_o)); // (1)
    let c = f * c_prev + i * g; // (2)
    (o * c.tanh(), Unit { i, f, g, o, c_prev, c }) // (3)
}

fn cell_backward(u: &Unit, dh: f64, dc_next: f64) -> ([f64; 4], f64) {
    let tanh_c = u.c.tanh();
    let d_o = dh * tanh_c; // (3')
    let dc = dc_next + dh * u.o * (1.0 - tanh_c * tanh_c);
    let (d_i, d_f, d_g) = (dc * u.g, dc * u.c_prev, dc * u.i); // (2')
    let da_i = d_i * u.i * (1.0 - u.i); // (1')
    let da_f = d_f * u.f * (1.0 - u.f);
    let da_g = d_g * (1.0 - u.g * u.g);
    let da_o = d_o * u.o * (1.0 - u.o);
    ([da_i, da_f, da_g, da_o], dc * u.f)
}

/// One sentence, first word to last; what is kept for the way back stands in `steps`.
fn walk_forward(l: &Lstm<f64>, x: &Matrix) -> (Matrix, Vec<Vec<Unit>>) {
    let n_hidden = l.n_hidden();
    let mut h = Matrix::zeros((x.nrows(), n_hidden));
    let (mut h_prev, mut c) = (Vector::zeros(n_hidden), Vector::zeros(n_hidden));
    let mut steps = Vec::new();
    for t in 0..x.nrows() {
        let a = l.w_ih.dot(&x.row(t)) + l.w_hh.dot(&h_prev) + &l.b;
        let mut units = Vec::new();
        for u in 0..n_hidden {
            let a_u = [0, 1, 2, 3].map(|gate| a[gate * n_hidden + u]);
            let (h_u, unit) = cell_forward(a_u, c[u]);
            (h[[t, u]], c[u]) = (h_u, unit.c);
            units.push(unit);
        }
        h_prev = h.row(t).to_owned();
        steps.push(units);
    }
    (h, steps)
}

/// The way back, from the last word to the first: the weights' gradients and dx.
fn walk_backward(
    l: &Lstm<f64>,
    x: &Matrix,
    h: &Matrix,
    steps: &[Vec<Unit>],
    dy: &Matrix,
) -> (Lstm<f64>, Matrix) {
    let (n_hidden, mut grads, mut dx) = (l.n_hidden(), l.zeros_like(), Matrix::zeros(x.raw_dim()));
    let (mut dh_next, mut dc_next) = (Vector::zeros(n_hidden), Vector::zeros(n_hidden));
    for t in (0..x.nrows()).rev() {
        let dh = &dy.row(t) + &dh_next;
        let mut da = Vector::zeros(4 * n_hidden);
        for u in 0..n_hidden {
            let (da_u, dc_prev) = cell_backward(&steps[t][u], dh[u], dc_next[u]);
            (0..4).for_each(|gate| da[gate * n_hidden + u] = da_u[gate]);
            dc_next[u] = dc_prev;
        }
        let h_prev = if t == 0 { Vector::zeros(n_hidden) } else { h.row(t - 1).to_owned() };
        add_outer(&mut grads.w_ih, &da, &x.row(t).to_owned());
        add_outer(&mut grads.w_hh, &da, &h_prev);
        grads.b += &da;
        dx.row_mut(t).assign(&l.w_ih.t().dot(&da));
        dh_next = l.w_hh.t().dot(&da);
    }
    (grads, dx)
}

/// to += a bᵀ
fn add_outer(to: &mut Matrix, a: &Vector, b: &Vector) {
    for ((i, j), v) in to.indexed_iter_mut() {
        *v += a[i] * b[j];
    }
}

fn lstm() -> Lstm<f64> {
    Lstm { w_ih: draw(0, 12, 2), w_hh: draw(1, 12, 3), b: draw(2, 1, 12).row(0).to_owned() }
}

#[test]
fn a_packed_shard_is_its_sentences_one_by_one() {
    let (layer, packing) = (lstm(), Packing::new(vec![6, 4, 1]));
    let (x, dy) = (draw(3, packing.rows(), 2), draw(4, packing.rows(), 3));
    let (h, cache) = layer.forward(x.clone(), &packing, Direction::Forward, Masks::default());
    let mut grads = layer.zeros_like();
    let dx = layer.backward(cache, dy.view(), &mut grads);

    let mut sum = layer.zeros_like();
    for (r, &n) in packing.lengths().iter().enumerate() {
        let rows: Vec<usize> = (0..n).map(|t| packing.row(r, t)).collect();
        let of = |a: &Matrix| a.select(Axis(0), &rows);
        let (want, steps) = walk_forward(&layer, &of(&x));
        assert!(close(&of(&h), &want));
        let (own, want_dx) = walk_backward(&layer, &of(&x), &want, &steps, &of(&dy));
        assert!(close(&of(&dx), &want_dx));
        sum.add(&own);
    }
    assert!(close(&grads.w_hh, &sum.w_hh) && close(&grads.w_ih, &sum.w_ih));
    assert!((grads.b - sum.b).iter().all(|d| d.abs() < 1e-12));
}

// Chapter 5: two directions.

/// The backward direction of one sentence: turn it round, walk forward, turn it back.
fn read_from_the_right(l: &Lstm<f64>, x: &Matrix) -> Matrix {
    let turned = x.slice(s![..;-1, ..]).to_owned();
    walk_forward(l, &turned).0.slice(s![..;-1, ..]).to_owned()
}

#[test]
fn the_walk_from_the_right_turns_each_sentence_round_within_its_own_length() {
    let (layer, packing) = (lstm(), Packing::new(vec![6, 4, 1]));
    let x = draw(3, packing.rows(), 2);
    let (h, _) = layer.forward(x.clone(), &packing, Direction::Backward, Masks::default());
    for (r, &n) in packing.lengths().iter().enumerate() {
        let rows: Vec<usize> = (0..n).map(|t| packing.row(r, t)).collect();
        let of = |a: &Matrix| a.select(Axis(0), &rows);
        assert!(close(&of(&h), &read_from_the_right(&layer, &of(&x))));
    }
    // Turning round the padded row instead puts padding before the last word.
    let short: Vec<usize> = (0..4).map(|t| packing.row(1, t)).collect();
    let mut padded = Matrix::zeros((6, 2));
    padded.slice_mut(s![..4, ..]).assign(&x.select(Axis(0), &short));
    let wrong = read_from_the_right(&layer, &padded);
    assert!((&wrong.row(3) - &h.row(short[3])).iter().any(|d| d.abs() > 0.01));
}

// Chapter 6: dropout.

/// The mean of y = x m over many draws of a mask that drops with probability `p` and scales what is kept.
#[test]
fn what_is_kept_is_scaled_so_that_the_mean_stays() {
    let (p, x, n) = (0.3, 2.0, 100_000);
    let noise = nn::dropout::Noise { seed: 1, epoch: 1, sentences: &[0], locked: true };
    let mask = noise.mask::<f64>(0, n, p).expect("p is not 0");
    let mean = (&mask * x).sum() / n as f64;
    // A unit's variance is x² p / (1 − p): three standard deviations of the mean.
    assert!((mean - x).abs() < 3.0 * x * (p / (1.0 - p) / n as f64).sqrt(), "{mean}");
}

// Chapter 7: a table is a product with one-hot rows.

fn one_hot(ids: &[u32], n: usize) -> Matrix {
    Matrix::from_shape_fn((ids.len(), n), |(row, v)| f64::from(ids[row] as usize == v))
}

#[test]
fn a_row_of_a_table_is_a_product_with_a_one_hot_row_and_so_is_its_gradient() {
    let (ids, dx) = ([4, 0, 4, 2], draw(1, 4, 3));
    let layer = nn::embedding::Embedding { table: draw(0, 5, 3) };
    assert!(close(&layer.forward(&ids), &one_hot(&ids, 5).dot(&layer.table)));
    let mut d_table = Matrix::zeros((5, 3));
    layer.backward(&ids, dx.clone()).add_to(&mut d_table);
    assert!(close(&d_table, &one_hot(&ids, 5).t().dot(&dx)));
}

// Chapter 8: a CRF by its definition.

/// Every sequence of `n` tags out of `k`.
fn paths(n: usize, k: usize) -> Vec<Vec<usize>> {
    (0..k.pow(n as u32)).map(|i| (0..n as u32).map(|t| i / k.pow(t) % k).collect()).collect()
}

fn path_score(s: &Matrix, a: &Matrix, y: &[usize]) -> f64 {
    let tokens: f64 = y.iter().enumerate().map(|(t, &tag)| s[[t, tag]]).sum();
    let pairs: f64 = y.windows(2).map(|pair| a[[pair[0], pair[1]]]).sum();
    tokens + pairs
}

/// log Z and P(y_t = j), over every path there is.
fn crf_by_definition(s: &Matrix, a: &Matrix) -> (f64, Matrix) {
    let all = paths(s.nrows(), s.ncols());
    let z: f64 = all.iter().map(|y| path_score(s, a, y).exp()).sum();
    let mut p = Matrix::zeros(s.raw_dim());
    for y in &all {
        for (t, &tag) in y.iter().enumerate() {
            p[[t, tag]] += path_score(s, a, y).exp() / z;
        }
    }
    (z.ln(), p)
}

#[test]
fn the_gradient_of_log_z_is_the_marginal() {
    let (s, a) = (draw(0, 4, 3) * 2.0, draw(1, 3, 3));
    let (log_z, p) = crf_by_definition(&s, &a);
    for ((t, j), &p) in p.indexed_iter() {
        let moved = |by: f64| {
            let mut s = s.clone();
            s[[t, j]] += by;
            crf_by_definition(&s, &a).0
        };
        assert!(((moved(1e-5) - moved(-1e-5)) / 2e-5 - p).abs() < 1e-9);
    }
    // And the layer finds both without writing out the paths.
    let mut crf = nn::crf::Crf::new(3);
    crf.transitions.assign(&a);
    let chain = crf.chain(&nn::crf::Allowed::all(3));
    let packing = Packing::new(vec![4]);
    assert!((chain.log_partitions(&s, &packing)[0] - log_z).abs() < 1e-12);
    assert!(close(&chain.marginals(&s, &packing), &p));
}

fn log_sum_exp(terms: impl Iterator<Item = f64>) -> f64 {
    terms.map(f64::exp).sum::<f64>().ln() // chapter 12 says what is wrong with it
}

/// log Z and P(y_t = j) with sums over beginnings, α, and over ends, β.
fn forward_backward(s: &Matrix, a: &Matrix) -> (f64, Matrix) {
    let (n, k) = s.dim();
    let (mut alpha, mut beta) = (s.clone(), Matrix::zeros((n, k)));
    for t in 1..n {
        for j in 0..k {
            let ways = (0..k).map(|i| alpha[[t - 1, i]] + a[[i, j]]);
            alpha[[t, j]] = s[[t, j]] + log_sum_exp(ways); // (2)
        }
    }
    let log_z = log_sum_exp((0..k).map(|j| alpha[[n - 1, j]])); // (3)
    for t in (1..n).rev() {
        for i in 0..k {
            let ways = (0..k).map(|j| a[[i, j]] + s[[t, j]] + beta[[t, j]]);
            beta[[t - 1, i]] = log_sum_exp(ways); // (2')
        }
    }
    (log_z, (alpha + beta).mapv(|path| (path - log_z).exp())) // (3')
}

#[test]
fn sums_over_beginnings_and_ends_are_sums_over_all_paths() {
    for n in 1..5 {
        let (s, a) = (draw(0, n, 3) * 2.0, draw(1, 3, 3));
        let ((log_z, p), (want, want_p)) = (forward_backward(&s, &a), crf_by_definition(&s, &a));
        assert!((log_z - want).abs() < 1e-12 && close(&p, &want_p));
    }
}

// Chapter 9: the letters of one word under a convolution.

/// One filter `w` (3E) and its bias over a word's letters (P, E), and the way back from dy: y, dw, db, de.
fn one_filter(e: &Matrix, w: &Vector, b: f64, dy: f64) -> (f64, Vector, f64, Matrix) {
    let (n, width) = e.dim();
    let inside = |p: usize, part: usize| (p + part).checked_sub(1).filter(|&q| q < n);
    let z = |p: usize| {
        let parts = (0..3).filter_map(|part| Some((part, inside(p, part)?)));
        b + parts
            .map(|(part, q)| w.slice(s![part * width..(part + 1) * width]).dot(&e.row(q)))
            .sum::<f64>()
    };
    let best = (0..n).fold(0, |best, p| if z(p) > z(best) { p } else { best }); // (4)
    let y = z(best).tanh(); // (5)
    let dz = dy * (1.0 - y * y); // (5'); (4'): the other places get nothing
    let (mut dw, mut de) = (Vector::zeros(3 * width), Matrix::zeros((n, width)));
    for part in 0..3 {
        if let Some(q) = inside(best, part) {
            for d in 0..width {
                dw[part * width + d] += dz * e[[q, d]]; // (3')
                de[[q, d]] += dz * w[part * width + d]; // (2')
            }
        }
    }
    (y, dw, dz, de)
}

#[test]
fn only_the_window_of_the_maximum_learns() {
    let layer = nn::char_cnn::CharCnn {
        table: draw(0, 6, 2),
        w: draw(1, 4, 6),
        b: draw(2, 1, 4).row(0).to_owned(),
    };
    let words = nn::chars::Spellings::new(vec![3, 1, 4, 1, 5, 2], vec![0, 5, 6]);
    let dy = draw(3, 2, 4);
    let (y, cache) = layer.forward(&words);
    let mut grads = layer.zeros_like();
    layer.backward(&words, cache, &dy, &mut grads);

    let mut sum = layer.zeros_like();
    for ((u, m), &dy) in dy.indexed_iter() {
        let chars: Vec<usize> = words.chars()[words.word(u)].iter().map(|&c| c as usize).collect();
        let e = layer.table.select(Axis(0), &chars);
        let (want, dw, db, de) = one_filter(&e, &layer.w.row(m).to_owned(), layer.b[m], dy);
        assert!((y[[u, m]] - want).abs() < 1e-12);
        sum.w.row_mut(m).zip_mut_with(&dw, |sum, d| *sum += d);
        sum.b[m] += db;
        for (char, de) in chars.iter().zip(de.rows()) {
            sum.table.row_mut(*char).zip_mut_with(&de, |sum, d| *sum += d);
        }
    }
    assert!(close(&grads.w, &sum.w) && close(&grads.table, &sum.table));
    assert!((grads.b - sum.b).iter().all(|d| d.abs() < 1e-12));
}

// Chapter 10: the whole tagger, out of the pieces above.

/// One sentence through words, a bidirectional LSTM, a dense layer and a softmax, and back.
fn whole_network(t: &Tagger<f64>, ids: &[u32], tags: &[usize]) -> (f64, Tagger<f64>) {
    let Layer::BiLstm(BiLstm { forward, backward }) = &t.network.encoder[0] else { unreachable!() };
    let (dense, n_hidden) = (&t.network.dense, forward.n_hidden());
    let turned = |x: &Matrix| x.slice(s![..;-1, ..]).to_owned();

    let hot = one_hot(ids, t.words.rows.nrows());
    let x = hot.dot(&t.words.rows); // (1)
    let (h, steps) = walk_forward(forward, &x); // (4)
    let (h_back, steps_back) = walk_forward(backward, &turned(&x));
    let y = concatenate![Axis(1), h, turned(&h_back)];
    let scores = dense_forward(&y, &dense.w, &dense.b); // (6)

    let (mut loss, mut ds) = (0.0, Matrix::zeros(scores.raw_dim()));
    let weight = 1.0 / tags.len() as f64;
    for (n, &tag) in tags.iter().enumerate() {
        let (loss_n, ds_n) = cross_entropy_by_the_chain_rule(&scores.row(n).to_owned(), tag);
        loss += weight * loss_n; // (8)
        ds.row_mut(n).assign(&(ds_n * weight)); // (8')
    }

    let mut grads = t.zeros_like();
    let (dy, dw, db) = dense_backward(&y, &dense.w, &ds); // (6')
    (grads.network.dense.w, grads.network.dense.b) = (dw, db);
    let (dh, dh_back) = dy.view().split_at(Axis(1), n_hidden); // (4')
    let (there, dx) = walk_backward(forward, &x, &h, &steps, &dh.to_owned());
    let dh_back = turned(&dh_back.to_owned());
    let (back, dx_back) = walk_backward(backward, &turned(&x), &h_back, &steps_back, &dh_back);
    grads.network.encoder[0] = Layer::BiLstm(BiLstm { forward: there, backward: back });
    grads.words.rows = hot.t().dot(&(dx + turned(&dx_back))).into(); // (1')
    (loss, grads)
}

#[test]
fn the_whole_network_is_its_pieces_one_after_the_other_and_back() {
    let layer =
        LayerSpec { kind: LayerKind::BiLstm, n_hidden: 3, dropout: 0.0, recurrent_dropout: 0.0 };
    let tagger = Tagger::<f64>::new(Spec::plain(7, 4, vec![layer], 5, Head::Softmax), 1);
    let (ids, tags) = ([3, 1, 6, 1, 2], [0, 4, 2, 2, 1]);
    let (want_loss, want) = whole_network(&tagger, &ids, &tags);

    let packing = Packing::new(vec![5]);
    let mut grads = tagger.zeros_like();
    let (scores, cache) = tagger.forward(Input::words(ids.to_vec(), &packing), None);
    let tags = tags.map(|tag| tag as u32);
    let (loss, ds) = tagger.loss(scores, &tags, &packing, 0.2, &mut grads.network);
    tagger.backward(cache, &ds, &mut grads.network).words.add_to(&mut grads.words.rows);
    assert!((0.2 * loss - want_loss).abs() < 1e-12);
    for ((name, got), (_, want)) in grads.tensors().into_iter().zip(want.tensors()) {
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{name}");
    }
}

// Chapter 11: Adam.

/// Algorithm 1 of the paper for one weight; (m, v) go from step to step, t counts from 1.
fn adam_step(w: f64, (m, v): (f64, f64), g: f64, t: i32, rate: f64) -> (f64, (f64, f64)) {
    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
    let m = beta1 * m + (1.0 - beta1) * g;
    let v = beta2 * v + (1.0 - beta2) * g * g;
    let m_hat = m / (1.0 - f64::powi(beta1, t));
    let v_hat = v / (1.0 - f64::powi(beta2, t));
    (w - rate * m_hat / (v_hat.sqrt() + epsilon), (m, v))
}

#[test]
fn a_row_that_was_touched_once_moves_on_under_the_dense_rule_and_rests_under_the_lazy_one() {
    let (mut dense, mut moments) = adam_step(1.0, (0.0, 0.0), 0.5, 1, 0.1);
    let lazy = dense; // not touched again
    for t in 2..=20 {
        (dense, moments) = adam_step(dense, moments, 0.0, t, 0.1);
    }
    use optim::rows::{RowAdam, SummedRows};
    let settings = optim::AdamSettings::new(optim::AdamKind::PyTorch);
    for (all, want) in [(true, dense), (false, lazy)] {
        let (mut table, mut adam) = (array![[1.0]], RowAdam::new((1, 1)));
        for t in 1..=20 {
            let touched = if t == 1 { vec![0] } else { vec![] };
            let rows = Matrix::from_elem((touched.len(), 1), 0.5);
            let (grads, rates) = (SummedRows { ids: touched, rows }, settings.rates(t, 0.1, 1.0));
            match all {
                true => adam.update_all(&mut table, &grads, &rates),
                false => adam.update_touched(&mut table, &grads, &rates),
            }
        }
        assert!((table[[0, 0]] - want).abs() < 1e-12);
    }
    assert!(1.0 - dense > 3.0 * (1.0 - lazy));
}

// Chapter 12: numerics.

#[test]
fn a_sum_depends_on_its_order() {
    let x = [1e8f32, 1.0, -1e8, 1.0];
    let left_to_right = ((x[0] + x[1]) + x[2]) + x[3];
    let in_pairs = (x[0] + x[1]) + (x[2] + x[3]);
    assert_eq!((left_to_right, in_pairs), (1.0, 0.0)); // the exact sum is 2
}

// The answers to exercises that are code.

/// Chapter 1: the loss ½ Σ y², whose gradient with respect to y is y itself.
#[test]
fn half_the_sum_of_squares_pulls_every_output_towards_nothing() {
    let (x, w, b) = (draw(0, 5, 3), draw(1, 4, 3), draw(2, 1, 4).row(0).to_owned());
    let layer = nn::dense::Dense { w, b };
    let loss = |l: &nn::dense::Dense<f64>| 0.5 * l.forward(x.clone()).0.mapv(|y| y * y).sum();
    let (y, cache) = layer.forward(x.clone());
    let mut grads = layer.zeros_like();
    layer.backward(cache, &y, &mut grads);
    nn::gradcheck::assert_gradients(&nn::gradcheck::gradcheck(&layer, &grads, loss), 1e-8);
}
