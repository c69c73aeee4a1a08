//! The timeline as a page: one file, no script, nothing from elsewhere.

use super::Entry;

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:2em;color:#222;background:#fff}\
table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.3em .7em;border-bottom:1px solid #ddd}\
td.id{font-family:ui-monospace,monospace;font-size:13px}.superseded,.duplicate{color:#888}.not-applied{color:#a00}";

/// The page.
pub(super) fn html(title: &str, entries: &[Entry], stopped: &[String]) -> String {
    let title = escaped(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<table><thead><tr><th>taken by the log</th>\
         <th>region</th><th>place</th><th>event</th><th>device</th><th>what it says</th><th>outcome</th></tr></thead><tbody>\n"
    );
    for entry in entries {
        let place = format!("{}/{}@{}", entry.topic, entry.partition, entry.offset);
        let device = entry.device.map(|device| device.to_string()).unwrap_or_default();
        page += &format!(
            "<tr class=\"{}\"><td title=\"accepted {}\">{}</td><td>{}</td><td class=\"id\">{}</td><td title=\"{}\">{}</td>\
             <td class=\"id\">{}</td><td class=\"id\">{}</td><td title=\"{}\">{}</td></tr>\n",
            escaped(&entry.outcome.replace(' ', "-")),
            escaped(&entry.accepted_at.to_string()),
            escaped(&entry.at.to_string()),
            entry.region,
            escaped(&place),
            escaped(&entry.event_id.to_string()),
            escaped(&entry.event),
            escaped(&device),
            escaped(&entry.said),
            escaped(&entry.why),
            escaped(entry.outcome),
        );
    }
    page += "</tbody></table>\n";
    for partition in stopped {
        page += &format!("<p class=\"not-applied\">stopped: {}</p>\n", escaped(partition));
    }
    page + "</body></html>\n"
}

/// A text that is no markup, in an attribute neither.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_log_says_is_markup() {
        let page = html("<script>alert(1)</script>", &[], &["\"'><img src=x onerror=y>&".to_owned()]);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&quot;&#39;&gt;&lt;img") && page.contains("&amp;"), "{page}");
    }
}
