//! Numbers as CSV and as SVG.

use std::fmt::Write as _;

/// A line of a chart: its name and its points.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// What a chart says beside its lines, and whether its axes go by powers of ten.
#[derive(Default)]
pub struct Chart<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub log_x: bool,
    pub log_y: bool,
    /// Places on the x axis that are marked, and what they are.
    pub marks: (&'a [f64], &'a str),
}

/// One column a line; a line that ends early leaves its cells empty.
pub fn csv(x: &str, lines: &[Line]) -> String {
    let quoted = |l: &Line| format!("\"{}\"", l.name);
    let mut text = format!("{x},{}\n", lines.iter().map(quoted).collect::<Vec<_>>().join(","));
    for (k, (x, _)) in lines[0].points.iter().enumerate() {
        let cell = |l: &Line| l.points.get(k).map_or(String::new(), |(_, y)| format!("{y:.3e}"));
        let x = if x.fract() == 0.0 { x.to_string() } else { format!("{x:.1e}") };
        let cells: Vec<String> = lines.iter().map(cell).collect();
        writeln!(text, "{x},{}", cells.join(",")).expect("a String takes all");
    }
    text
}

/// Colours of Okabe and Ito 2008, told apart by everybody.
pub const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#cc79a7", "#999999", "#e69f00", "#009e73"];
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;

/// A picture of 720 by `height` with its title.
pub fn frame(title: &str, height: f64, inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"{0}\">\n<rect width=\"720\" height=\"{height}\" \
         fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{0}</text>\n{inside}</svg>\n",
        escaped(title)
    )
}

/// Text as it may stand in SVG.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A text at a place; `more` are further attributes.
pub fn label(svg: &mut String, x: f64, y: f64, more: &str, text: &str) {
    let text = escaped(text);
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {more}>{text}</text>").expect("a String");
}

/// The next of 1, 2, 5, 10, 20, 50 and so on.
fn round_up(v: f64) -> f64 {
    let ten = 10f64.powf(v.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|k| k * ten).into_iter().find(|&k| k >= v).unwrap_or(v)
}

/// Lines over x.
pub fn chart(chart: &Chart<'_>, lines: &[Line]) -> String {
    let at = |x: f64| if chart.log_x { x.log10() } else { x };
    let up = |y: f64| if chart.log_y { y.log10() } else { y };
    let all = || lines.iter().flat_map(|l| &l.points).filter(|(_, y)| !chart.log_y || *y > 0.0);
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
    };
    let (x0, x1) = span(&mut all().map(|(x, _)| at(*x)));
    let (y0, y1) = span(&mut all().map(|(_, y)| up(*y)));
    let (y0, y1) = if chart.log_y { (y0.floor(), y1.ceil()) } else { (0.0, y1.ceil()) };
    let px = |x: f64| LEFT + WIDTH * (x - x0) / (x1 - x0);
    let py = |y: f64| TOP + HEIGHT * (y1 - y) / (y1 - y0);
    let mut svg = String::new();
    let every = round_up((y1 - y0) / 8.0).max(1.0);
    let mut y = y0;
    while y <= y1 {
        let (p, end) = (py(y), LEFT + WIDTH);
        let _ = writeln!(svg, "<path d=\"M{LEFT} {p:.1}H{end}\" stroke=\"#ddd\"/>");
        let text = if chart.log_y { format!("1e{y}") } else { y.to_string() };
        label(&mut svg, LEFT - 6.0, p + 4.0, "text-anchor=\"end\"", &text);
        y += every;
    }
    let every = if chart.log_x { 1.0 } else { ((x1 - x0) / 80.0).ceil() * 10.0 };
    let mut x = if chart.log_x { x0 } else { (x0 / every).floor() * every };
    while x <= x1 + 1e-9 {
        let text = if chart.log_x { format!("1e{x:.0}") } else { x.to_string() };
        label(&mut svg, px(x.max(x0)), TOP + HEIGHT + 18.0, "text-anchor=\"middle\"", &text);
        x += every;
    }
    let (places, what) = chart.marks;
    for &x in places {
        let _ = writeln!(svg, "<path d=\"M{:.1} {}v-10\" stroke=\"black\"/>", px(x), TOP + HEIGHT);
    }
    let below = TOP + HEIGHT + 36.0;
    label(&mut svg, LEFT + WIDTH, below, "text-anchor=\"end\"", chart.x);
    if !places.is_empty() {
        label(&mut svg, LEFT, below, "", what);
    }
    for (k, line) in lines.iter().enumerate() {
        let points = line.points.iter().filter(|(_, y)| !chart.log_y || *y > 0.0);
        let points = points.map(|(x, y)| format!("{:.1},{:.1}", px(at(*x)), py(up(*y))));
        let (points, colour) = (points.collect::<Vec<_>>().join(" "), COLOURS[k % COLOURS.len()]);
        let _ = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        let y = below + 20.0 + 18.0 * k as f64;
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {:.1}h24\" stroke=\"{colour}\" stroke-width=\"3\"/>",
            y - 4.0
        );
        label(&mut svg, LEFT + 32.0, y, "", &line.name);
    }
    frame(chart.title, TOP + HEIGHT + 62.0 + 18.0 * lines.len() as f64, &svg)
}

/// A bar for each step of the post-mortem, in the order of its file.
pub fn bars(title: &str, results: &str) -> String {
    let mut steps: Vec<(&str, Vec<f64>)> = Vec::new();
    for row in results.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let known = steps.iter().position(|(name, _)| *name == cells[0]);
        let at = known.unwrap_or_else(|| {
            steps.push((cells[0], Vec::new()));
            steps.len() - 1
        });
        steps[at].1.extend(cells[2].parse::<f64>());
    }
    let mut svg = String::new();
    for (k, (name, f1)) in steps.iter().enumerate() {
        let mean = f1.iter().sum::<f64>() / f1.len() as f64;
        let (y, width) = (TOP + 24.0 * k as f64, mean * 4.8);
        label(&mut svg, 110.0, y + 14.0, "text-anchor=\"end\"", name);
        let _ = writeln!(
            svg,
            "<rect x=\"120\" y=\"{y}\" width=\"{width:.1}\" height=\"18\" fill=\"{}\"/>",
            COLOURS[0]
        );
        label(&mut svg, 126.0 + width, y + 14.0, "", &format!("{mean:.1}"));
    }
    frame(title, TOP + 24.0 * steps.len() as f64 + 16.0, &svg)
}

/// A table of numbers as colours: blue below 0, orange above, full at the largest; None is crossed out.
pub fn heat(
    title: &str,
    rows: &[String],
    columns: &[String],
    value: impl Fn(usize, usize) -> Option<f64>,
) -> String {
    let all = || (0..rows.len()).flat_map(|i| (0..columns.len()).map(move |j| (i, j)));
    let most = all().filter_map(|(i, j)| value(i, j)).fold(1e-9, |m: f64, v| m.max(v.abs()));
    let (left, top) = (LEFT + 10.0, TOP + 50.0);
    let (wide, high) = ((620.0 / columns.len() as f64).min(60.0), 22.0);
    let mut svg = String::new();
    for (j, name) in columns.iter().enumerate() {
        let (x, y) = (left + wide * (j as f64 + 0.5), top - 6.0);
        let turn = format!("transform=\"rotate(-55 {x:.1} {y:.1})\"");
        label(&mut svg, x, y, &turn, name);
    }
    for (i, name) in rows.iter().enumerate() {
        label(&mut svg, left - 6.0, top + high * i as f64 + 15.0, "text-anchor=\"end\"", name);
    }
    for (i, j) in all() {
        let (x, y) = (left + wide * j as f64, top + high * i as f64);
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"21\"", wide - 1.0);
        match value(i, j) {
            Some(v) => {
                let colour = if v < 0.0 { COLOURS[0] } else { COLOURS[1] };
                let share = v.abs() / most;
                let _ =
                    writeln!(svg, "<rect {place} fill=\"{colour}\" fill-opacity=\"{share:.3}\"/>");
                let ink = if share > 0.6 { "white" } else { "black" };
                let more = format!("text-anchor=\"middle\" font-size=\"9\" fill=\"{ink}\"");
                label(
                    &mut svg,
                    x + wide / 2.0,
                    y + 14.0,
                    &more,
                    &format!("{:.1}", if v.abs() < 0.05 { 0.0 } else { v }),
                );
            }
            None => {
                let _ = writeln!(svg, "<rect {place} fill=\"#eee\"/>");
                label(
                    &mut svg,
                    x + wide / 2.0,
                    y + 14.0,
                    "text-anchor=\"middle\" fill=\"#999\"",
                    "×",
                );
            }
        }
    }
    frame(title, top + high * rows.len() as f64 + 12.0, &svg)
}
