//! A page that shows how a model came to its tags: gates and states step by step, the lattice of tags, the
//! words that mattered. It needs nothing but itself: its data, style and script are in it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::html::{escaped, head};
use crate::palette::colour_of;

/// The page of an explanation, which serialises as `train::explain::Explanation` does: `tags`, and
/// `sentences` with their words, states, scores and influences.
///
/// # Panics
/// If the explanation does not serialise, or has no tags.
pub fn page(title: &str, explanation: &impl Serialize) -> String {
    // As text at once: as a value, each f32 would turn into an f64 with all its digits.
    let explanation = serde_json::to_string(explanation).expect("plain values");
    let Tags { tags } = serde_json::from_str(&explanation).expect("an explanation has tags");
    // The class that colours a tag; O has none.
    let class =
        |tag: &String| tag.split_once('-').map(|(_, label)| format!("e{}", colour_of(label)));
    let classes: Vec<Option<String>> = tags.iter().map(class).collect();
    let data =
        in_script(&format!("{{\"classes\":{},\"explanation\":{explanation}}}", json!(classes)));
    let head = head(title, include_str!("explain.css"), "'unsafe-inline'");
    let (title, js) = (escaped(title), include_str!("explain.js"));
    let body = include_str!("explain.html");
    format!(
        "{head}<body>\n<h1>{title}</h1>\n{body}\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>\n{js}</script>\n</body>\n</html>\n"
    )
}

/// What the page's colours are made of.
#[derive(Deserialize)]
struct Tags {
    tags: Vec<String>,
}

/// JSON that no HTML parser takes for the end of its script.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn words_cannot_leave_the_script_and_nothing_is_fetched() {
        let word = "</script><script>alert(1)</script><!--";
        let page =
            page("a < b", &json!({ "tags": ["O", "B-per"], "sentences": [{ "words": [word] }] }));
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("<title>a &lt; b</title>"));
        assert!(page.contains("\"classes\":[null,\"e7\"]"));
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
        }
        let start = page.find("id=\"data\">").unwrap() + 10;
        let end = start + page[start..].find("</script>").unwrap();
        let data: Value = serde_json::from_str(&page[start..end]).unwrap();
        assert_eq!(data["explanation"]["sentences"][0]["words"][0], word);
    }
}
