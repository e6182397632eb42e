//! Bits for fixed inputs, as this processor computes them. A GPU gives the same: its sums have the same order, every
//! fused multiply-add is written out, divisions and roots round as here, sigmoid and tanh are made of such. Not so
//! softmax and the CRF, whose e^x and logarithm are the device's own.

use super::*;
use crate::arguments::{Adam, Average, Dropout, Moving, Squares, SquaresOfAll, numbered};
use crate::layers::Matrix;
use crate::{CharKind, Launch};

/// What is computed must have this hash.
fn same(what: &str, got: u64, want: u64) {
    assert_eq!(got, want, "{what}: {got:#x}");
}

#[test]
fn of_layers() {
    for (n_hidden, want) in [
        (64, 0xf67a_24dc_7fba_e0f2_u64),
        (128, 0x1921_2763_b27e_8456),
        (256, 0x0a6a_d27f_774a_67b0),
        (20, 0x68c2_dc50_dedb_e010),
    ] {
        let Some(mut e) = engine(0) else { return };
        if n_hidden == 128 && e.machine.shared_memory() < 145 << 10 {
            continue; // it walks step by step, in another order of additions
        }
        let case = lstm::Case::new(n_hidden, &[7, 6, 2, 2, 1], true, 12);
        let lstm::Out { y, sides } = case.run(&mut e);
        let all = std::iter::once(y).chain(sides.into_iter().flatten()).flatten();
        same(&format!("H = {n_hidden}"), hash(all), want);
    }
}

#[test]
fn of_letters() {
    for (kind, want) in
        [(CharKind::Cnn, 0x8f2b_7249_2847_bf86_u64), (CharKind::Lstm, 0x235f_856b_c6a7_a2c2)]
    {
        let Some(machine) = machine(0) else { return };
        same(&format!("{kind:?}"), chars::bits_of_letters(machine, kind), want);
    }
}

#[test]
fn of_products_and_sums_over_many_tokens() {
    let Some(mut e) = engine(0) else { return };
    let (m, n, k) = (70, 41, 1000);
    let (x, dy) = (draw_by(12, 1, k * m, 1.0), draw_by(12, 2, k * n, 1.0));
    let (on_x, on_dy) = (e.put(&x), e.put(&dy));
    let (x, dy) = (Matrix::new(on_x, k, m), Matrix::new(on_dy, k, n));
    let [dw, db, y] = [n * m, n, k * n].map(|len| e.poisoned(len));
    let job = e.weight_gradient(dy, x, dw, db).unwrap();
    e.products(&[job]).unwrap();
    e.sum_pending().unwrap();
    e.product(x, Matrix::new(dw, n, m).t(), db, y, false).unwrap();
    let all = [dw, db, y].map(|span| e.get(span)).concat();
    same("products", hash(all), 0xf64f_878b_6965_b70e);
}

/// Adam over some rows of a table, the average over all, the squares of the gradient, a dropout mask.
#[test]
fn of_a_step() {
    let Some(mut e) = engine(0) else { return };
    let (rows, width) = (9, 50);
    let ids = [7u32, 0, 3, 8];
    let [w, m, a] = [1, 2, 3].map(|which| e.put(&draw_by(12, which, rows * width, 0.5)));
    let v: Vec<f32> = draw_by(12, 4, rows * width, 0.5).iter().map(|v| v * v).collect();
    let v = e.put(&v);
    let g = e.put(&draw_by(12, 5, ids.len() * width, 0.5));
    let (ids, scale) = (e.put_bits(&ids), 0.3f32);
    let status = e.put_bits(&[0, 0, 0, 0, scale.to_bits(), 1, 0, 0]).at;
    let n = g.len as u64;
    let moving = Moving {
        w: w.at,
        m: m.at,
        v: v.at,
        g: g.at,
        ids: ids.at,
        n,
        width: width as u32,
        first_block: 0,
    };
    let (of, blocks) = numbered(&[(moving, g.len.div_ceil(256) as u32)]);
    let args = Adam {
        of,
        status,
        beta1: 0.9,
        beta2: 0.999,
        fresh1: 0.1,
        fresh2: 1e-3,
        step: 1e-2,
        root_scale: 1.7,
        epsilon: 1e-8,
        decay: 0.999,
    };
    e.launch("adam", Launch { grid: [blocks, 1, 1], block: 256, shared: 0 }, args).unwrap();
    let args = Average { average: a.at, w: w.at, status, n: w.len as u64, kept: 0.9 };
    e.each("average", w.len, args).unwrap();
    let sums = e.poisoned(2 * 3);
    let launch = Launch { grid: [3, 1, 1], block: 256, shared: 8 * 256 };
    let of = [Squares { x: g.at, n }; 4];
    e.launch("squares", launch, SquaresOfAll { of, sums: sums.at }).unwrap();
    let (mask, numbers) = (e.poisoned(rows * width), e.put_bits(&[5, 1, 4, 1, 5, 9, 2, 6, 5]).at);
    let args = Dropout {
        x: [0; 2],
        y: [mask.at; 2],
        name: [2; 2],
        sentence: 0,
        step: 0,
        numbers,
        rows: rows as u32,
        width: width as u32,
        key0: 12,
        key1: 0,
        epoch: 3,
        threshold: 5 << 20,
        keep: 1.5,
        sides: 1,
        sum: 0,
    };
    e.each("dropout", mask.len, args).unwrap();
    let all = [w, m, v, a, sums, mask].map(|span| e.get(span)).concat();
    same("a step", hash(all), 0xaa01_f7b1_9c71_f74e);
}
