//! Names, in the writing of each language.
//!
//! Inside, a name is in kebab case (`user-profile`), as WIT writes it.

/// A name of any writing (`UserProfile`, `user_profile`, `USER-PROFILE`) in kebab case.
#[must_use]
pub fn kebab(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (at, c) in chars.iter().copied().enumerate() {
        if c == '_' || c == '-' || c == '.' {
            if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
            continue;
        }
        if c.is_uppercase() && at > 0 {
            let before = chars[at - 1];
            let after_is_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
            let begins_word = before.is_lowercase()
                || before.is_ascii_digit()
                || (before.is_uppercase() && after_is_lower);
            if begins_word && !out.ends_with('-') && !out.is_empty() {
                out.push('-');
            }
        }
        out.extend(c.to_lowercase());
    }
    while out.ends_with('-') {
        out.pop();
    }
    out
}

/// `user_profile`.
#[must_use]
pub fn snake(kebab: &str) -> String {
    kebab.replace('-', "_")
}

/// `USER_PROFILE`.
#[must_use]
pub fn shouting(kebab: &str) -> String {
    snake(kebab).to_uppercase()
}

/// `UserProfile`.
#[must_use]
pub fn pascal(kebab: &str) -> String {
    kebab.split('-').map(capitalised).collect()
}

/// `userProfile`.
#[must_use]
pub fn camel(kebab: &str) -> String {
    let pascal = pascal(kebab);
    let mut chars = pascal.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writing_is_the_same_name() {
        for name in [
            "UserProfile",
            "user_profile",
            "user-profile",
            "USER_PROFILE",
            "userProfile",
        ] {
            assert_eq!(kebab(name), "user-profile", "{name}");
        }
        assert_eq!(kebab("HTTPServer2"), "http-server2");
        assert_eq!(kebab("key_t"), "key-t");
        assert_eq!(kebab("A.B"), "a-b");
        assert_eq!(kebab("__"), "");
    }

    #[test]
    fn names_are_written_as_each_language_does() {
        assert_eq!(snake("user-profile"), "user_profile");
        assert_eq!(pascal("user-profile"), "UserProfile");
        assert_eq!(camel("user-profile"), "userProfile");
        assert_eq!(shouting("user-profile"), "USER_PROFILE");
    }
}
