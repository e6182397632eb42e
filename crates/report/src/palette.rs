//! One colour a label, the same in every document and on the terminal.
//!
//! Labels that many corpora share have their places; any other is hashed to one of the twelve. Two
//! labels may then share a colour, which is why the label always stands beside it.

/// A hue in its five uses.
pub(crate) struct Colour {
    /// Background of the entity's text and of its label, on a light page.
    pub(crate) light: [&'static str; 2],
    /// The same on a dark page.
    pub(crate) dark: [&'static str; 2],
    /// Background under black text on a terminal: a number of xterm's 256.
    pub(crate) terminal: u8,
}

/// Colours that pages share: text and background, and the text of labels.
pub(crate) const LIGHT_TEXT: [&str; 2] = ["#1c1b1f", "#ffffff"];
pub(crate) const DARK_TEXT: [&str; 2] = ["#eaeaee", "#16171a"];
pub(crate) const LIGHT_LABEL_TEXT: &str = "#ffffff";
pub(crate) const DARK_LABEL_TEXT: &str = "#16171a";

#[rustfmt::skip]
pub(crate) const COLOURS: [Colour; 12] = [
    /* red     */ Colour { light: ["#fbdbda", "#be2722"], dark: ["#652926", "#f19f9c"], terminal: 217 },
    /* orange  */ Colour { light: ["#f9ddc8", "#97511b"], dark: ["#52351f", "#eba671"], terminal: 216 },
    /* gold    */ Colour { light: ["#f5e1a2", "#786115"], dark: ["#463b1a", "#dbaf1f"], terminal: 221 },
    /* lime    */ Colour { light: ["#c8f079", "#4f6c13"], dark: ["#334119", "#8dc61c"], terminal: 112 },
    /* green   */ Colour { light: ["#a0f4ba", "#147230"], dark: ["#1a4427", "#1ed053"], terminal: 41 },
    /* teal    */ Colour { light: ["#96f3e1", "#14705d"], dark: ["#19433a", "#1dcba9"], terminal: 43 },
    /* cyan    */ Colour { light: ["#b4ebf7", "#166c7e"], dark: ["#1c4149", "#33c5e2"], terminal: 81 },
    /* blue    */ Colour { light: ["#d1e4fa", "#1f63b1"], dark: ["#233d5c", "#89b8ee"], terminal: 153 },
    /* indigo  */ Colour { light: ["#dfe0fb", "#4b50df"], dark: ["#30337e", "#adaff3"], terminal: 189 },
    /* violet  */ Colour { light: ["#ebdcfb", "#8335db"], dark: ["#4c2b72", "#c9a6f2"], terminal: 183 },
    /* magenta */ Colour { light: ["#fbd7fb", "#ab1eab"], dark: ["#5f245f", "#f094f0"], terminal: 219 },
    /* pink    */ Colour { light: ["#fbd9e8", "#ba2163"], dark: ["#642641", "#f19bc0"], terminal: 218 },
];

const PLACES: [(&str, usize); 22] = [
    ("per", 7),
    ("person", 7),
    ("geo", 4),
    ("loc", 4),
    ("location", 4),
    ("org", 1),
    ("organization", 1),
    ("gpe", 5),
    ("norp", 5),
    ("tim", 2),
    ("time", 2),
    ("date", 2),
    ("art", 9),
    ("product", 9),
    ("work_of_art", 9),
    ("eve", 10),
    ("event", 10),
    ("nat", 3),
    ("misc", 11),
    ("money", 3),
    ("fac", 6),
    ("law", 8),
];

/// Index into [`COLOURS`] of a label, whatever its case.
pub(crate) fn colour_of(label: &str) -> usize {
    let label = label.to_lowercase();
    let place = PLACES.iter().find(|(known, _)| *known == label).map(|(_, place)| *place);
    place.unwrap_or_else(|| fnv1a(label.as_bytes()) as usize % COLOURS.len())
}

/// Fowler, Noll and Vo's hash of 32 bits: the same on every machine and in every version.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of `#rrggbb` as WCAG 2 defines it.
    fn luminance(hex: &str) -> f64 {
        let channel = |i: usize| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
        let linear =
            |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(channel(1)) + 0.7152 * linear(channel(3)) + 0.0722 * linear(channel(5))
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn all_text_has_the_contrast_that_wcag_aa_asks_for() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        for colour in &COLOURS {
            for (text, on) in [
                (LIGHT_TEXT[0], colour.light[0]),
                (LIGHT_LABEL_TEXT, colour.light[1]),
                (DARK_TEXT[0], colour.dark[0]),
                (DARK_LABEL_TEXT, colour.dark[1]),
                (LIGHT_TEXT[0], LIGHT_TEXT[1]),
                (DARK_TEXT[0], DARK_TEXT[1]),
            ] {
                assert!(contrast(text, on) >= 4.5, "{text} on {on}: {}", contrast(text, on));
            }
            // A label is told from the text it stands in: WCAG asks 3 of what is not text.
            assert!(contrast(colour.light[0], colour.light[1]) >= 3.0, "{:?}", colour.light);
            assert!(contrast(colour.dark[0], colour.dark[1]) >= 3.0, "{:?}", colour.dark);
        }
    }

    #[test]
    fn the_eight_types_of_the_gmb_have_eight_colours() {
        let mut colours: Vec<usize> =
            ["art", "eve", "geo", "gpe", "nat", "org", "per", "tim"].map(colour_of).to_vec();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), 8);
    }

    #[test]
    fn a_label_keeps_its_colour() {
        assert_eq!(colour_of("PER"), colour_of("per"));
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }
}
