//! What people look at: terminal tables, tagged text, HTML pages.
