//! Queries of URLs.

/// The URL of a path below a base, which may have a query of its own. After that come `own`, as it
/// is written, and `pairs`, encoded.
#[must_use]
pub fn below(base: &str, path: &str, own: &str, pairs: &[(String, String)]) -> String {
    let (base, of_base) = base.split_once('?').unwrap_or((base, ""));
    let mut url = format!("{}{path}", base.trim_end_matches('/'));
    let mut query = Pairs::new(&mut url);
    query.raw(of_base);
    query.raw(own);
    pairs.iter().for_each(|(name, value)| query.add(name, value));
    url
}

/// Appends pairs to a URL that has none.
pub(super) struct Pairs<'a>(&'a mut String, char);

impl<'a> Pairs<'a> {
    pub(super) fn new(url: &'a mut String) -> Self {
        Self(url, '?')
    }

    fn raw(&mut self, pairs: &str) {
        if !pairs.is_empty() {
            self.0.push(self.1);
            self.0.push_str(pairs);
            self.1 = '&';
        }
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push(self.1);
        push_encoded(self.0, name);
        self.0.push('=');
        push_encoded(self.0, value);
        self.1 = '&';
    }

    /// Pairs as they are written, but for those with these names.
    pub(super) fn kept(&mut self, pairs: &str, but: &[&str]) {
        for pair in pairs.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            if !but.contains(&name) {
                self.raw(pair);
            }
        }
    }

    pub(super) fn provider(&mut self, pairs: &[(String, String)], but: &[&str]) {
        for (name, value) in pairs.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
            self.add(name, value);
        }
    }
}

/// Percent-encoding of RFC 3986: everything but unreserved characters.
pub(super) fn push_encoded(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_the_base_goes_behind_the_path() {
        let pairs = [("a b".to_owned(), "c&d".to_owned())];
        assert_eq!(below("http://h/v1/?x=1", "/p", "", &pairs), "http://h/v1/p?x=1&a%20b=c%26d");
        assert_eq!(below("http://h/v1/", "/p", "y", &[]), "http://h/v1/p?y");
    }
}
