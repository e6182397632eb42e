//! Products, sums and rows of tables.

use ndarray::{Array2, Axis, s};

use super::*;
use crate::layers::Matrix;
use crate::tables::Strided;
use crate::{Batch, Description, Dropped, Head, Network, Tokens};

#[test]
fn products_of_any_shape_and_layout_agree_with_f64() {
    for (m, n, k) in [(1, 1, 1), (3, 5, 7), (64, 64, 16), (65, 130, 33), (200, 17, 300)] {
        check_product(m, n, k);
    }
}

pub(super) fn check_product(m: usize, n: usize, k: usize) {
    let Some(mut e) = engine(0) else { return };
    // Elements are within a few units, whatever k is.
    let by_k = 1.0 / (k as f64).sqrt();
    let (mut a, b, bias) = (draw(1, m * k, 1.0), draw(2, k * n, by_k), draw(3, n, 1.0));
    if m * n * k == 1 {
        a[0] = (a[0] * b[0] * bias[0]).signum() * a[0]; // no norm of others hides a sum near 0
    }
    let want = matrix(&a, k).dot(&matrix(&b, n)) + matrix(&bias, n);
    let turned = |v: &[f32], columns| {
        let t = matrix(v, columns).t().as_standard_layout().into_owned();
        t.iter().map(|&v| v as f32).collect::<Vec<_>>()
    };
    let (at, bt) = (turned(&a, k), turned(&b, n));
    let plain = plain::product(&a, &b, k, &bias);
    let values = [a.clone(), b.clone()];
    let [a, b, at, bt, bias] = [&a, &b, &at, &bt, &bias].map(|v| e.put(v));
    let (a, at) = (Matrix::new(a, m, k), Matrix::new(at, k, m).t());
    let (b, bt) = (Matrix::new(b, k, n), Matrix::new(bt, n, k).t());
    for (a, b) in [(a, b), (at, b), (a, bt), (at, bt)] {
        let c = e.poisoned(m * n);
        e.product(a, b, bias, c, false).unwrap();
        let got = e.get(c);
        assert_values(&format!("({m}, {n}, {k})"), &got, &plain, &want);
        e.product(a, b, bias, c, true).unwrap();
        let twice: Vec<f32> = plain.iter().map(|c| c + c).collect();
        assert_values(&format!("({m}, {n}, {k}) twice"), &e.get(c), &twice, &(&want * 2.0));
    }
    // Into some columns of a wider matrix, the others left alone.
    let wide = e.put(&vec![1.0; m * (n + 3)]);
    e.add_product(a, b, Matrix::columns(wide, m, n + 3, 2, n)).unwrap();
    let got = matrix(&e.get(wide), n + 3);
    let want = want - matrix(&e.get(bias), n) + 1.0;
    let inner = got.slice(s![.., 2..n + 2]).iter().map(|&v| v as f32).collect::<Vec<_>>();
    let plain = plain::product(&values[0], &values[1], k, &[]);
    let plain: Vec<f32> = plain.iter().map(|c| c + 1.0).collect();
    assert_values(&format!("columns of ({m}, {n}, {k})"), &inner, &plain, &want);
    assert!(got.slice(s![.., ..2]).iter().all(|&v| v == 1.0));
    assert!(got.slice(s![.., n + 2..]).iter().all(|&v| v == 1.0));
}

#[test]
fn gradients_summed_over_many_tokens_in_parts_agree_with_f64_in_any_order_of_threads() {
    [1, 63, 65, 257, 1000].into_iter().for_each(|rows| check_gradients(rows, &ORDERS));
}

pub(super) fn check_gradients(rows: usize, orders: &[i32]) {
    let (dy, x) = (draw(4, rows * 9, 1.0), draw(5, rows * 21, 1.0));
    let want = matrix(&dy, 9).t().dot(&matrix(&x, 21));
    let (plain_w, plain_b) = (plain::product_over_rows(&dy, 9, &x, 21), plain::column_sums(&dy, 9));
    let mut first: Option<Vec<u32>> = None;
    for &order in orders {
        let Some(mut e) = engine(order) else { return };
        let (dw, db) = (e.poisoned(9 * 21), e.poisoned(9));
        let (on_x, on_dy) = (e.put(&x), e.put(&dy));
        let (on_x, on_dy) = (Matrix::new(on_x, rows, 21), Matrix::new(on_dy, rows, 9));
        let job = e.weight_gradient(on_dy, on_x, dw, db).unwrap();
        e.products(&[job]).unwrap();
        e.sum_pending().unwrap();
        let (dw, db) = (e.get(dw), e.get(db));
        assert_gradient(&format!("dw over {rows}"), &dw, &plain_w, &want);
        assert_gradient("db", &db, &plain_b, &matrix(&dy, 9).sum_axis(Axis(0)));
        let all = [bits(&dw), bits(&db)].concat();
        assert_eq!(*first.get_or_insert(all.clone()), all, "order {order}");
    }
}

fn description(rows: &[usize], width: usize) -> Description {
    Description {
        tables: rows.to_vec(),
        embedding: width,
        vectors: None,
        chars: None,
        layers: vec![],
        dense_dropout: Dropped::default(),
        wide: None,
        n_tags: 2,
        head: Head::Softmax,
        tag_weights: None,
        forbidden: None,
    }
}

#[test]
fn rows_of_tables_and_their_gradients_agree_with_f64_also_where_many_tokens_share_one() {
    check_rows(&ORDERS);
}

pub(super) fn check_rows(orders: &[i32]) {
    let (width, n) = (5, 200);
    for &order in orders {
        let Some(machine) = machine(order) else { return };
        // The second table's few rows have far more tokens than one thread adds up.
        let d = description(&[50, 2], width);
        let mut ids = whole(6, n, 50);
        ids.iter_mut().skip(n / 2).for_each(|id| *id = 7);
        let words: Vec<u32> = ids.iter().zip(0..).flat_map(|(&id, i)| [id, i % 2]).collect();
        let table = draw(7, 52 * width, 1.0);
        let dx = draw(8, n * width, 1.0);
        let tokens = Tokens {
            lengths: &[n],
            words: &words,
            tags: &vec![0; n],
            numbers: &[0],
            ..Tokens::default()
        };
        let batch = Batch::new(&d, tokens);
        assert!(batch.touched_words.parts.is_some());
        let mut network = Network::new(machine, d, false).unwrap();
        network.stage(0, batch).unwrap();
        let (f, t) = (matrix(&table, width), &table);
        let mut want_x = Array2::<f64>::zeros((n, width));
        let mut want = Array2::<f64>::zeros((52, width));
        let (mut plain_x, mut plain) = (vec![0.0; n * width], vec![0.0; 52 * width]);
        for i in 0..n {
            for row in [words[2 * i] as usize, 50 + words[2 * i + 1] as usize] {
                let (mut x, mut to) = (want_x.row_mut(i), want.row_mut(row));
                x += &f.row(row);
                to += &matrix(&dx, width).row(i);
                for d in 0..width {
                    plain_x[i * width + d] += table[row * width + d];
                    plain[row * width + d] += dx[i * width + d];
                }
            }
        }
        network
            .with_batch(0, |net, at| {
                let (e, touched) = (&mut net.engine, &at.batch.touched_words);
                let (table, dx) = (e.put(t), e.put(&dx));
                let x = e.poisoned(n * width);
                let (ids, to) = (at.span(&at.batch.words), Strided::whole(x, width));
                e.embedding((table, width), (ids, Span::NONE), n, to, false)?;
                assert_values("rows", &e.get(x), &plain_x, &want_x);
                let dx = (Strided::whole(dx, width), n, width);
                // Into the table's own rows, and one after the other.
                let dense = e.put(&vec![0.0; 52 * width]);
                e.row_sums(at, touched, dx, (dense, true))?;
                assert_gradient("sums by id", &e.get(dense), &plain, &want);
                let sparse = e.poisoned(touched.ids.len() * width);
                e.row_sums(at, touched, dx, (sparse, false))?;
                let (ids, sparse) = (bits(&e.get(at.span(&touched.ids))), e.get(sparse));
                let dense = e.get(dense);
                for (u, &id) in ids.iter().enumerate() {
                    let rows =
                        (&sparse[u * width..][..width], &dense[id as usize * width..][..width]);
                    assert_eq!(bits(rows.0), bits(rows.1), "row {id}");
                }
                Ok(())
            })
            .unwrap();
    }
}

#[test]
pub(super) fn arrays_are_added_and_divided() {
    let Some(mut e) = engine(0) else { return };
    let (x, y) = (draw(9, 777, 1.0), draw(10, 777, 1.0));
    let (on_x, on_y) = (e.put(&x), e.put(&y));
    e.add(on_x, on_y, 3.0, true).unwrap();
    let want: Vec<f32> = y.iter().zip(&x).map(|(y, x)| (y + x) / 3.0).collect();
    assert_eq!(e.get(on_y), want);
    e.add(on_x, on_y, 1.0, false).unwrap();
    assert_eq!(e.get(on_y), x);
}
