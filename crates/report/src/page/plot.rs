//! Plots as SVG: lines over a range of numbers, and the reliability diagram. Colours are the style
//! sheet's; a second line differs by dashes and the shape of its points, not by colour alone.

use crate::html::escaped;

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 42.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 36.0;
/// With more points than this a line has no marks.
const MARKED: usize = 40;
/// With more than this, points are left out.
const MOST: usize = 400;

/// A named line, or several of one name, one after the other: each begins where x falls.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A rectangle of numbers drawn onto a rectangle of the page.
pub(super) struct Frame {
    x: [f64; 2],
    y: [f64; 2],
}

impl Frame {
    pub(super) fn new(x: [f64; 2], y: [f64; 2]) -> Self {
        let wide =
            |[low, high]: [f64; 2]| if high > low { [low, high] } else { [low - 0.5, low + 0.5] };
        Self { x: wide(x), y: wide(y) }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |v: f64, [low, high]: [f64; 2]| (v - low) / (high - low);
        (
            LEFT + share(x, self.x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - share(y, self.y) * (HEIGHT - TOP - BOTTOM),
        )
    }

    /// Grid, ticks and the names of both axes.
    fn axes(&self, x_name: &str, y_name: &str) -> String {
        let mut out = String::new();
        for tick in ticks(self.y) {
            let (_, y) = self.at(self.x[0], tick);
            out += &format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 3.5,
                short(tick)
            );
        }
        // Epochs are whole: no tick stands between two of them.
        let whole = |tick: &f64| self.x[1] - self.x[0] <= 1.0 || tick.fract().abs() < 1e-9;
        for tick in ticks(self.x).into_iter().filter(whole) {
            let (x, y) = self.at(tick, self.y[0]);
            out += &format!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                y + 15.0,
                short(tick)
            );
        }
        let [x_name, y_name] = [x_name, y_name].map(escaped);
        out += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{x_name}</text>\
             <text class=\"axis\" x=\"0\" y=\"11\">{y_name}</text>\n",
            WIDTH - RIGHT,
            HEIGHT - 4.0
        );
        out
    }
}

/// Around five round numbers within a range.
fn ticks([low, high]: [f64; 2]) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// As few decimals as tell a tick.
fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').replace("-0", "0").to_owned()
}

fn svg(title: &str, description: &str, body: &str) -> String {
    let [title, description] = [title, description].map(escaped);
    format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}. \
         {description}\">\n{body}</svg>\n"
    )
}

/// Lines in one frame. `description` says in words what they show. Whole numbers on the x axis.
pub(super) fn lines(
    title: &str,
    description: &str,
    [x_name, y_name]: [&str; 2],
    lines: &[Line],
) -> String {
    let points = || lines.iter().flat_map(|line| &line.points).filter(|p| p.1.is_finite());
    if points().next().is_none() {
        return String::new();
    }
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = points().map(of);
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], v| [l.min(v), h.max(v)])
    };
    let [x, y] = [range(|p| p.0), range(|p| p.1)];
    let room = 0.08 * (y[1] - y[0]).max(1e-9);
    // No line of a share or a loss goes below 0.
    let frame = Frame::new(x, [(y[0] - room).max(0.0), y[1] + room]);
    let mut body = frame.axes(x_name, y_name);
    for (n, line) in lines.iter().enumerate() {
        body += &drawn(&frame, n, line);
    }
    if lines.len() > 1 {
        body += &legend(lines);
    }
    svg(title, description, &body)
}

fn drawn(frame: &Frame, n: usize, line: &Line) -> String {
    let every = line.points.len().div_ceil(MOST).max(1);
    let kept = line.points.iter().step_by(every).filter(|p| p.1.is_finite());
    let at: Vec<_> = kept.map(|&(x, y)| (frame.at(x, y), x, y)).collect();
    let mut out = String::new();
    // A line never turns back: where x falls, another begins.
    for part in at.chunk_by(|(_, x, _), (_, next, _)| x < next) {
        let path: Vec<String> = part.iter().map(|((x, y), ..)| format!("{x:.1},{y:.1}")).collect();
        out += &format!("<polyline class=\"line l{n}\" points=\"{}\"/>\n", path.join(" "));
    }
    if at.len() <= MARKED {
        for (place, x, y) in at {
            let name = escaped(&format!("{}, {}: {y:.4}", line.name, short(x)));
            out += &format!("{}<title>{name}</title>{}\n", mark(n, place).0, mark(n, place).1);
        }
    }
    out
}

/// The mark of a line's points: opening and closing tag.
fn mark(n: usize, (x, y): (f64, f64)) -> (String, &'static str) {
    if n == 0 {
        return (
            format!("<circle class=\"mark l0\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\">"),
            "</circle>",
        );
    }
    let (x, y) = (x - 3.0, y - 3.0);
    let square =
        format!("<rect class=\"mark l{n}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"6\" height=\"6\">");
    (square, "</rect>")
}

fn legend(lines: &[Line]) -> String {
    let mut out = String::new();
    for (n, line) in lines.iter().enumerate() {
        let x = LEFT + 90.0 + 110.0 * n as f64;
        let name: String = line.name.chars().take(14).collect();
        let (open, close) = mark(n, (x + 9.0, 7.0));
        out += &format!(
            "<line class=\"line l{n}\" x1=\"{x}\" x2=\"{}\" y1=\"7\" y2=\"7\"/>{open}{close}\
             <text x=\"{}\" y=\"11\">{}</text>\n",
            x + 18.0,
            x + 24.0,
            escaped(&name)
        );
    }
    out
}

/// A point of a reliability diagram: said, true, and the share of all entities that it stands for.
pub(super) struct Reliability {
    pub(super) said: f64,
    pub(super) right: f64,
    pub(super) share: f64,
}

/// Share of right entities over their probability. On the diagonal they are equal; the lines from it
/// to the points are the gaps, the bars at the foot how many entities there are.
pub(super) fn reliability(title: &str, description: &str, points: &[Reliability]) -> String {
    let frame = Frame::new([0.0, 1.0], [0.0, 1.0]);
    let mut body = frame.axes("probability given", "share that is right");
    for point in points {
        let ((x, foot), (_, top)) = (frame.at(point.said, 0.0), frame.at(0.0, 0.3 * point.share));
        body += &format!(
            "<rect class=\"track\" x=\"{:.1}\" y=\"{top:.1}\" width=\"14\" height=\"{:.1}\"/>\n",
            x - 7.0,
            foot - top
        );
    }
    let ((x1, y1), (x2, y2)) = (frame.at(0.0, 0.0), frame.at(1.0, 1.0));
    body += &format!(
        "<line class=\"diagonal\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
    );
    for point in points {
        let ((x, y), (_, even)) = (frame.at(point.said, point.right), frame.at(0.0, point.said));
        let name = format!("given {:.2}, right {:.2}", point.said, point.right);
        body += &format!(
            "<line class=\"gap\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{even:.1}\" y2=\"{y:.1}\"/>\
             <circle class=\"mark l0\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{name}</title></circle>\n"
        );
    }
    svg(title, description, &body)
}

/// An interval with its middle, and 0 where it lies: for a difference in points.
pub(super) fn interval(
    title: &str,
    description: &str,
    middle: f64,
    [low, high]: [f64; 2],
) -> String {
    let widest = 1.3 * low.abs().max(high.abs()).max(1e-6);
    let at = |v: f64| 190.0 + 180.0 * v / widest;
    let [title, description] = [title, description].map(escaped);
    let mut out = format!(
        "<svg class=\"plot interval\" viewBox=\"0 0 380 64\" role=\"img\" aria-label=\"{title}. {description}\">\n\
         <line class=\"grid\" x1=\"10\" x2=\"370\" y1=\"26\" y2=\"26\"/>\
         <line class=\"diagonal\" x1=\"190\" x2=\"190\" y1=\"8\" y2=\"44\"/>\
         <text x=\"190\" y=\"58\" text-anchor=\"middle\">0</text>\n"
    );
    out += &format!(
        "<line class=\"range\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"26\" y2=\"26\"/>\
         <circle class=\"mark l0\" cx=\"{:.1}\" cy=\"26\" r=\"5\"/>\n",
        at(low),
        at(high),
        at(middle)
    );
    for (value, anchor) in [(low, "end"), (high, "start")] {
        let x = at(value);
        // Not over the 0 in the middle.
        let y = if (x - 190.0).abs() < 40.0 { 14 } else { 58 };
        out += &format!(
            "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>\n",
            super::markup::points(value)
        );
    }
    out + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        assert_eq!(
            ticks([1.0, 3.0]),
            [1.0, 2.0, 3.0][..].iter().flat_map(|t| [*t, t + 0.5]).take(5).collect::<Vec<_>>()
        );
        let all: Vec<String> = ticks([0.841, 0.854]).into_iter().map(short).collect();
        assert_eq!(all, ["0.845", "0.85"]);
        assert_eq!(short(0.0), "0");
        assert_eq!(ticks([0.0, 100.0]).len(), 3);
    }

    #[test]
    fn one_point_and_no_point_have_a_picture_or_none() {
        let line =
            |points: Vec<(f64, f64)>| lines("t", "d", ["x", "y"], &[Line { name: "a", points }]);
        assert!(line(vec![(1.0, 0.5)]).contains("<circle"));
        assert_eq!(line(vec![]), "");
        assert_eq!(line(vec![(1.0, f64::NAN)]), "");
        let many = line((0..5000).map(|n| (f64::from(n), 1.0)).collect());
        assert!(many.len() < 20_000 && !many.contains("<circle") && !many.contains("NaN"));
    }
}
