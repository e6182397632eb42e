//! The yardstick: what the kernels compute, in f32 by plain loops.
//!
//! Every sum is one chain from the first to the last in the order of its equation, of fused multiply-adds
//! where there are products; e^x, tanh and log are the C library's. It shares no code with the kernels. How far
//! it is from f64 says how well a case can be computed in f32 at all: see [`super::assert_values`].

use nn::Packing;
use tensor::vectorised;

/// start + Σ a b.
#[inline(always)]
fn chain(start: f32, pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    pairs.fold(start, |sum, (a, b)| a.mul_add(b, sum))
}

#[inline(always)]
fn pairs<'a>(a: &'a [f32], b: &'a [f32]) -> impl Iterator<Item = (f32, f32)> + 'a {
    a.iter().copied().zip(b.iter().copied())
}

#[inline(always)]
fn column(a: &[f32], width: usize, j: usize) -> impl Iterator<Item = f32> + Clone + '_ {
    a[j..].iter().step_by(width).copied()
}

/// a (M, K) b (K, N) + bias.
#[inline(always)]
pub fn product(a: &[f32], b: &[f32], k: usize, bias: &[f32]) -> Vec<f32> {
    let n = b.len() / k;
    let row = |a: &[f32]| {
        let dot = |j: usize| chain(0.0, a.iter().copied().zip(column(b, n, j)));
        (0..n).map(|j| dot(j) + bias.get(j).unwrap_or(&0.0)).collect::<Vec<_>>()
    };
    a.chunks_exact(k).flat_map(row).collect()
}

/// aᵀ b: (M, N) of a (K, M) and b (K, N).
#[inline(always)]
pub fn product_over_rows(a: &[f32], m: usize, b: &[f32], n: usize) -> Vec<f32> {
    let element = |e: usize| chain(0.0, column(a, m, e / n).zip(column(b, n, e % n)));
    (0..m * n).map(element).collect()
}

/// The sum of the rows of a (K, N).
pub fn column_sums(a: &[f32], n: usize) -> Vec<f32> {
    (0..n).map(|j| column(a, n, j).sum()).collect()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// One direction of a layer: equations (1) to (5') of `nn::lstm`.
pub struct Lstm<'a> {
    /// w_ih (4H, D), w_hh (4H, H), b (4H)
    pub weights: &'a [Vec<f32>; 3],
    /// D
    pub n_in: usize,
    /// From the last token to the first.
    pub back: bool,
    /// (B, H) m_h
    pub mask: Option<&'a [f32]>,
}

/// h (N, H), then what comes back.
pub struct LstmOut {
    pub y: Vec<f32>,
    pub dx: Vec<f32>,
    /// dw_ih, dw_hh, db
    pub grads: [Vec<f32>; 3],
}

impl Lstm<'_> {
    /// x (N, D) and dy (N, H), packed.
    pub fn run(&self, x: &[f32], dy: &[f32], packing: &Packing) -> LstmOut {
        // So that a fused multiply-add is an instruction and no call.
        vectorised(
            #[inline(always)]
            || self.walk(x, dy, packing),
        )
    }

    #[inline(always)]
    fn walk(&self, x: &[f32], dy: &[f32], packing: &Packing) -> LstmOut {
        let ([w_ih, w_hh, b], d, n) = (self.weights, self.n_in, packing.rows());
        let h = b.len() / 4;
        let mut gates = vec![0.0f32; n * 4 * h];
        let [mut c, mut h_prev, mut y] = [(); 3].map(|()| vec![0.0f32; n * h]);
        for (r, &length) in packing.lengths().iter().enumerate() {
            let m_h = |j: usize| self.mask.map_or(1.0, |m| m[r * h + j]);
            let mut rows: Vec<usize> = (0..length).map(|t| packing.row(r, t)).collect();
            if self.back {
                rows.reverse();
            }
            for (step, &row) in rows.iter().enumerate() {
                let before = step.checked_sub(1).map(|s| rows[s]);
                for j in 0..h {
                    h_prev[row * h + j] = before.map_or(0.0, |p| y[p * h + j] * m_h(j));
                }
                let v = &mut gates[row * 4 * h..][..4 * h];
                for (k, v) in v.iter_mut().enumerate() {
                    let a = chain(b[k], pairs(&x[row * d..][..d], &w_ih[k * d..][..d]));
                    let a = chain(a, pairs(&h_prev[row * h..][..h], &w_hh[k * h..][..h]));
                    *v = if k / h == 2 { a.tanh() } else { sigmoid(a) };
                }
                for j in 0..h {
                    let c_prev = before.map_or(0.0, |p| c[p * h + j]);
                    let now = v[h + j].mul_add(c_prev, v[j] * v[2 * h + j]);
                    (c[row * h + j], y[row * h + j]) = (now, v[3 * h + j] * now.tanh());
                }
            }
            let (mut dh, mut dc) = (vec![0.0f32; h], vec![0.0f32; h]);
            for (step, &row) in rows.iter().enumerate().rev() {
                let before = step.checked_sub(1).map(|s| rows[s]);
                let v = &mut gates[row * 4 * h..][..4 * h];
                for j in 0..h {
                    let [i, f, g, o] = [v[j], v[h + j], v[2 * h + j], v[3 * h + j]];
                    let (dh, tanh) = (dh[j] + dy[row * h + j], c[row * h + j].tanh());
                    let dc_now = (dh * o).mul_add(1.0 - tanh * tanh, dc[j]);
                    v[j] = dc_now * g * i * (1.0 - i);
                    v[h + j] = dc_now * before.map_or(0.0, |p| c[p * h + j]) * f * (1.0 - f);
                    v[2 * h + j] = dc_now * i * (1.0 - g * g);
                    v[3 * h + j] = dh * tanh * o * (1.0 - o);
                    dc[j] = dc_now * f;
                }
                for (j, dh) in dh.iter_mut().enumerate() {
                    *dh = chain(0.0, v.iter().copied().zip(column(w_hh, h, j))) * m_h(j);
                }
            }
        }
        let (dw_ih, dw_hh) =
            (product_over_rows(&gates, 4 * h, x, d), product_over_rows(&gates, 4 * h, &h_prev, h));
        let grads = [dw_ih, dw_hh, column_sums(&gates, 4 * h)];
        LstmOut { y, dx: product(&gates, w_ih, 4 * h, &[]), grads }
    }
}

/// Convolution and maximum over the characters of words: y (U, M); gradients of table, w, b, in one piece.
pub fn char_cnn(
    [table, w, b]: [&[f32]; 3],
    words: &[Vec<u32>],
    dy: &[f32],
    n_in: usize,
) -> [Vec<f32>; 2] {
    let (wide, filters) = (3 * n_in, b.len());
    let [mut y, mut dtable] = [vec![], vec![0.0; table.len()]];
    let (mut dw, mut db) = (vec![0.0f32; w.len()], vec![0.0f32; filters]);
    for (word, dy) in words.iter().zip(dy.chunks_exact(filters)) {
        let row = |p: Option<usize>| p.and_then(|p| word.get(p)).map(|&c| c as usize * n_in);
        let windows: Vec<[Option<usize>; 3]> = (0..word.len())
            .map(|p| [row(p.checked_sub(1)), row(Some(p)), row(Some(p + 1))])
            .collect();
        let x: Vec<Vec<f32>> = windows
            .iter()
            .map(|rows| rows.map(|r| r.map_or(vec![0.0; n_in], |r| table[r..r + n_in].to_vec())))
            .map(|parts| parts.concat())
            .collect();
        for m in 0..filters {
            let w = &w[m * wide..][..wide];
            let z: Vec<f32> = x.iter().map(|x| chain(0.0, pairs(x, w)) + b[m]).collect();
            let best = (1..z.len()).fold(0, |best, p| if z[p] > z[best] { p } else { best });
            let y_m = z[best].tanh();
            y.push(y_m);
            let dz = dy[m] * (1.0 - y_m * y_m);
            db[m] += dz;
            for e in 0..wide {
                dw[m * wide + e] = dz.mul_add(x[best][e], dw[m * wide + e]);
                if let Some(row) = windows[best][e / n_in] {
                    let to = &mut dtable[row + e % n_in];
                    *to = dz.mul_add(w[e], *to);
                }
            }
        }
    }
    [y, [dtable, dw, db].concat()]
}

fn log_sum_exp(values: impl Iterator<Item = f32> + Clone) -> f32 {
    let top = values.clone().fold(f32::NEG_INFINITY, f32::max);
    if top == f32::NEG_INFINITY {
        return top;
    }
    top + values.map(|v| (v - top).exp()).sum::<f32>().ln()
}

/// Loss of each token, ds: `nn::softmax`.
pub fn softmax(
    scores: &[f32],
    tags: &[u32],
    tag_weights: Option<&[f32]>,
    weight: f32,
) -> (Vec<f32>, Vec<f32>) {
    let k = scores.len() / tags.len();
    let (mut losses, mut ds) = (vec![], vec![]);
    for (s, &y) in scores.chunks_exact(k).zip(tags) {
        let y = y as usize;
        let c_y = tag_weights.map_or(1.0, |c| c[y]);
        let top = s.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let e: Vec<f32> = s.iter().map(|s| (s - top).exp()).collect();
        let sum: f32 = e.iter().sum();
        losses.push(c_y * (top + sum.ln() - s[y]));
        let hit = |j: usize| if j == y { 1.0 } else { 0.0 };
        ds.extend((0..k).map(|j| weight * c_y * (e[j] / sum - hit(j))));
    }
    (losses, ds)
}

/// Loss of each token, ds: `nn::keras_relu`, of scores that are not all below 0.
pub fn keras_relu(scores: &[f32], tags: &[u32], weight: f32) -> (Vec<f32>, Vec<f32>) {
    let k = scores.len() / tags.len();
    let (mut losses, mut ds) = (vec![], vec![]);
    for (s, &y) in scores.chunks_exact(k).zip(tags) {
        let sum: f32 = s.iter().map(|s| s.max(0.0)).sum();
        let p_y = s[y as usize].max(0.0) / sum;
        let q = p_y.clamp(1e-7, 1.0 - 1e-7);
        losses.push(-q.ln());
        let dp = if q == p_y { -weight / q } else { 0.0 };
        let hit = |j: usize| if j == y as usize { 1.0 } else { 0.0 };
        ds.extend((0..k).map(|j| if s[j] > 0.0 { dp * (hit(j) - p_y) / sum } else { 0.0 }));
    }
    (losses, ds)
}

/// Potentials and scores of a conditional random field: `nn::crf`, logarithms scaled at every token.
pub struct Crf<'a> {
    /// A (K, K), b (K), e (K); minus infinity for what is forbidden.
    pub potentials: &'a [f32],
    pub scores: &'a [f32],
    pub tags: &'a [u32],
    pub weight: f32,
}

impl Crf<'_> {
    /// Loss of each sentence, ds, the gradient of the weights.
    pub fn run(&self, packing: &Packing) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let n_tags = self.scores.len() / packing.rows();
        let mut ds = vec![0.0; self.scores.len()];
        let mut dw = vec![0.0; self.potentials.len()];
        let losses = (0..packing.sentences())
            .map(|r| self.sentence(n_tags, packing, r, &mut ds, &mut dw))
            .collect();
        let forbidden = |(d, p): (f32, &f32)| if p.is_finite() { d * self.weight } else { 0.0 };
        (losses, ds, dw.into_iter().zip(self.potentials).map(forbidden).collect())
    }

    fn sentence(
        &self,
        k: usize,
        packing: &Packing,
        r: usize,
        ds: &mut [f32],
        dw: &mut [f32],
    ) -> f32 {
        let (a, edges) = self.potentials.split_at(k * k);
        let (start, end) = edges.split_at(k);
        let rows: Vec<usize> = (0..packing.lengths()[r]).map(|t| packing.row(r, t)).collect();
        let scores = |t: usize| &self.scores[rows[t] * k..][..k];
        let right = |t: usize| self.tags[rows[t]] as usize;
        let last = rows.len() - 1;
        let (mut alpha, mut logs): (Vec<Vec<f32>>, Vec<f32>) = (vec![], vec![]);
        let mut loss = 0.0;
        for t in 0..=last {
            let v: Vec<f32> = (0..k)
                .map(|j| match t.checked_sub(1) {
                    None => start[j] + scores(t)[j],
                    Some(s) => {
                        scores(t)[j] + log_sum_exp((0..k).map(|i| alpha[s][i] + a[i * k + j]))
                    }
                })
                .collect();
            let l = log_sum_exp(v.iter().copied());
            let way = if t == 0 { start[right(0)] } else { a[right(t - 1) * k + right(t)] };
            loss += l - scores(t)[right(t)] - way;
            alpha.push(v.into_iter().map(|v| v - l).collect());
            logs.push(l);
        }
        let l = log_sum_exp((0..k).map(|j| alpha[last][j] + end[j]));
        loss += l - end[right(last)];
        let mut beta: Vec<f32> = end.iter().map(|e| e - l).collect();
        for t in (0..=last).rev() {
            for j in 0..k {
                let hit = if right(t) == j { 1.0 } else { 0.0 };
                let excess = (alpha[t][j] + beta[j]).exp() - hit;
                ds[rows[t] * k + j] = self.weight * excess;
                if t == 0 {
                    dw[k * k + j] += excess;
                }
                if t == last {
                    dw[k * k + k + j] += excess;
                }
            }
            if t == 0 {
                break;
            }
            let b: Vec<f32> = (0..k).map(|j| scores(t)[j] - logs[t] + beta[j]).collect();
            for e in 0..k * k {
                dw[e] += (alpha[t - 1][e / k] + a[e] + b[e % k]).exp();
            }
            dw[right(t - 1) * k + right(t)] -= 1.0;
            beta = (0..k).map(|i| log_sum_exp((0..k).map(|j| a[i * k + j] + b[j]))).collect();
        }
        loss
    }
}
