//! What the name of a key promises: which names announce a secret, and what a value under them must be like.

use super::value::{
    is_measure, is_path, is_placeholder, is_prose, is_template, is_wordy, names_a_secret,
    segment_bounds,
};

/// What a key announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Password,
    Passphrase,
    Token,
    Secret,
    Key,
    Authorization,
    /// A bare `auth`, which as often names a method.
    Auth,
    Cookie,
    Session,
    Dsn,
    Credential,
    Signature,
}

impl Kind {
    /// The class of a secret found behind such a key in running text.
    pub fn class(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passphrase => "passphrase",
            Self::Token => "token",
            Self::Secret => "secret",
            Self::Key => "api-key",
            Self::Authorization | Self::Auth => "authorization",
            Self::Cookie => "cookie",
            Self::Session => "session-id",
            Self::Dsn => "connection-string",
            Self::Credential => "credential",
            Self::Signature => "signature",
        }
    }

    /// The class of a whole value under such a key.
    fn field_class(self) -> &'static str {
        match self {
            Self::Password => "field-password",
            Self::Passphrase => "field-passphrase",
            Self::Token => "field-token",
            Self::Secret => "field-secret",
            Self::Key => "field-key",
            Self::Authorization => "field-authorization",
            Self::Auth => "field-auth",
            Self::Cookie => "field-cookie",
            Self::Session => "field-session",
            Self::Dsn => "field-connection-string",
            Self::Credential => "field-credential",
            Self::Signature => "field-signature",
        }
    }
}

/// Words after the noun that do not change what it is: `token_value`, `PASSWORD_PROD`, `secret2`.
const QUALIFIERS: &str = "value val prod production dev development staging stage live test qa plain plaintext raw b64 base64 new old \
    current primary secondary main default v1 v2 txt str";

/// What makes a key a secret one: `api key`, `signing key`.
const SECRET_KEYS: &str = "api access secret private auth encryption encrypt encrypted signing sign account master service app application license \
    admin deploy shared webhook hmac jwt session storage subscription ingest ingestion integration registration root aes rsa ssh server \
    write bot functions host consumer customer cookie csrf data decryption fernet client user live restricted security internal preshared";

/// Keys that an environment variable may name without giving anything away: `CACHE_KEY`, `PUBLIC_KEY`.
const OPEN_KEYS: &str = "public publishable primary foreign sort cache partition range hash index query row shard idempotency group map dict \
    object item field registry routing bucket s3 redis hot short meta any home escape enter arrow";

/// What makes a token no secret: places in a text, pages of a list, ways to stop.
const HARMLESS_TOKENS: &str = "next page pagination continuation continue pad eos bos unk sep mask cls cancellation cancel stop special start end sync \
    resume cursor design prev previous last first per max min num count total input output prompt completion cached reserved punctuation \
    lexer syntax color theme image vision reasoning lookahead abort shutdown delimiter newline string interrupt skip style spacing";

/// What makes a `pass` a password.
const PASS_OWNERS: &str = "db database user admin root smtp mail email imap ftp sftp ssh sudo mysql pg postgres redis rabbitmq mqtt ldap login my vpn \
    wifi proxy http basic auth become ansible app api service kafka mongo mongodb mongo es elastic keystore store neo4j jdbc rpc git registry";

fn is_listed(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// What the name `key` announces, if anything. `snake_case`, `camelCase`, `kebab-case`, dotted and spaced names are all read.
pub(super) fn classify(key: &str) -> Option<Kind> {
    if key.len() > 128 {
        return None;
    }
    let lower = key.to_ascii_lowercase();
    // The humps of camelCase are seen in the original, the words compared in lower case.
    let parts: Vec<&str> = segment_bounds(key)
        .map(|(start, end)| &lower[start..end])
        .collect();
    let mut words: &[&str] = &parts;
    while words.len() > 1
        && words.last().is_some_and(|word| {
            is_listed(QUALIFIERS, word) || word.bytes().all(|byte| byte.is_ascii_digit())
        })
    {
        words = &words[..words.len() - 1];
    }
    let (last, rest) = words.split_last()?;
    let previous = rest.last().copied().unwrap_or_default();
    let last = *last;
    let ends_with = |endings: &str| endings.split(' ').any(|ending| last.ends_with(ending));

    if matches!(last, "pass") {
        return (rest.is_empty() || is_listed(PASS_OWNERS, previous)).then_some(Kind::Password);
    }
    if last == "word" && previous == "pass" {
        return Some(Kind::Password);
    }
    if ends_with("password passwd passwort passcode requirepass masterauth dbpass sshpass smtppass")
        || last == "pwd"
        || last.ends_with("pwd")
        || last == "passw"
    {
        return Some(Kind::Password);
    }
    if ends_with("passphrase mnemonic")
        || (last == "phrase"
            && matches!(
                previous,
                "seed" | "recovery" | "pass" | "secret" | "mnemonic"
            ))
    {
        return Some(Kind::Passphrase);
    }
    if last.ends_with("token") {
        let harmless = is_listed(HARMLESS_TOKENS, previous)
            || HARMLESS_TOKENS
                .split(' ')
                .any(|word| last.strip_suffix("token") == Some(word));
        return (!harmless).then_some(Kind::Token);
    }
    if matches!(last, "jwt" | "bearer") || (last == "pat" && !rest.is_empty()) {
        return Some(Kind::Token);
    }
    if ends_with("secret") {
        return Some(Kind::Secret);
    }
    if last == "salt" && !rest.is_empty() {
        return Some(Kind::Secret);
    }
    if ends_with(
        "apikey accesskey secretkey privatekey authkey accountkey encryptionkey presharedkey signingkey masterkey appkey sharedkey deploykey authtokenkey",
    ) {
        return Some(Kind::Key);
    }
    if matches!(last, "key" | "keys") && is_listed(SECRET_KEYS, previous) {
        return Some(Kind::Key);
    }
    if last == "key"
        && !rest.is_empty()
        && !key.bytes().any(|byte| byte.is_ascii_lowercase())
        && !is_listed(OPEN_KEYS, previous)
    {
        return Some(Kind::Key);
    }
    match last {
        "base" if previous == "key" && words.len() > 2 => Some(Kind::Key),
        "authorization" => Some(Kind::Authorization),
        "auth" if rest.is_empty() || matches!(previous, "http" | "basic" | "proxy" | "npm") => {
            Some(Kind::Auth)
        }
        "cookie" | "cookies" => Some(Kind::Cookie),
        "sessionid" | "sessid" | "phpsessid" | "jsessionid" => Some(Kind::Session),
        "id" if matches!(previous, "session" | "sess") => Some(Kind::Session),
        "sid" if matches!(previous, "connect" | "session") => Some(Kind::Session),
        "dsn" => Some(Kind::Dsn),
        "connectionstring" => Some(Kind::Dsn),
        "string" if previous == "connection" || previous == "conn" => Some(Kind::Dsn),
        "credential" | "credentials" | "creds" | "cred" => Some(Kind::Credential),
        "sig" | "signature" => Some(Kind::Signature),
        _ => None,
    }
}

/// The class under which the whole string value of `key` is masked, if its name announces a secret.
pub(crate) fn class_of_field(key: &str) -> Option<&'static str> {
    match classify(key)? {
        // A signature proves, it does not open; a span rule finds those in URLs.
        Kind::Signature => None,
        kind => Some(kind.field_class()),
    }
}

/// Whether `text`, the value of a field of this class, is a secret as a whole: not a stand-in, a reference, or a sentence about one.
pub(crate) fn is_field_secret(class: &str, text: &str) -> bool {
    const LONGEST: usize = 16 * 1024;
    let value = text.trim();
    if value.is_empty() || value.len() > LONGEST || value.contains("[REDACTED:") {
        return false;
    }
    let bare = without_scheme(value);
    if is_placeholder(bare) || (bare.is_empty() && class == "field-authorization") {
        return false;
    }
    match class {
        "field-passphrase" => true,
        "field-cookie" => value.contains('=') || !is_wordy(value),
        "field-authorization" => !is_prose(value),
        "field-connection-string" => {
            !value.contains("://")
                && (value.contains('@') || value.contains(';'))
                && !is_template(value)
        }
        _ if is_prose(value) || is_path(value) => false,
        "field-password" => {
            !(is_wordy(value)
                && names_a_secret(value)
                && !value.bytes().any(|byte| byte.is_ascii_digit()))
        }
        "field-auth" => !is_wordy(value) && !is_measure(value),
        _ => {
            !is_measure(value)
                && !(is_wordy(value)
                    && (names_a_secret(value) || value.contains(['-', '_', ' ', '.'])))
        }
    }
}

/// `value` without a leading authentication scheme.
fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, rest))
            if is_listed(
                "bearer basic token ssws apikey digest",
                &scheme.to_ascii_lowercase(),
            ) =>
        {
            rest.trim()
        }
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_announce_secrets() {
        for (key, kind) in [
            ("password", Kind::Password),
            ("DB_PASSWORD", Kind::Password),
            ("dbPassword", Kind::Password),
            ("pwd", Kind::Password),
            ("smtp_pass", Kind::Password),
            ("apiKey", Kind::Key),
            ("X-Api-Key", Kind::Key),
            ("SECRET_ACCESS_KEY", Kind::Key),
            ("AccountKey", Kind::Key),
            ("client_secret", Kind::Secret),
            ("_authToken", Kind::Token),
            ("GITHUB_PAT", Kind::Token),
            ("session_id", Kind::Session),
            ("Authorization", Kind::Authorization),
            ("SENTRY_DSN", Kind::Dsn),
            ("auth_token", Kind::Token),
            ("token2", Kind::Token),
        ] {
            assert_eq!(classify(key), Some(kind), "{key}");
        }
    }

    #[test]
    fn look_alike_names_do_not() {
        for key in [
            "max_tokens",
            "token_budget",
            "tokenizer",
            "secretary",
            "cookie_policy",
            "password_rules",
            "api_key_env_var",
            "secretKeyRef",
            "next_token",
            "primary_key",
            "cache_key",
            "public_key",
            "key",
            "compass",
            "author",
            "token_type",
            "secretName",
            "passed",
            "keyboard",
            "monkey",
            "signal",
            "authority",
            "design_token",
            "access_key_id",
            "private_key_path",
            "eosToken",
        ] {
            assert_eq!(classify(key), None, "{key}");
        }
    }

    #[test]
    fn values_of_secret_fields() {
        for (class, value) in [
            ("field-authorization", "Bearer x"),
            ("field-cookie", "a=b"),
            ("field-key", "abc"),
            ("field-token", "a"),
            ("field-password", "hunter2"),
            ("field-password", "12345678"),
        ] {
            assert!(is_field_secret(class, value), "{class} {value}");
        }
        for (class, value) in [
            ("field-authorization", "Bearer $TOKEN"),
            ("field-key", "${API_KEY}"),
            ("field-token", "the token expired"),
            ("field-password", "password must be 12 characters"),
            ("field-secret", "db-credentials"),
            ("field-token", "[REDACTED:field-token]"),
            ("field-auth", "oauth2"),
            ("field-password", "/run/secrets/db_password"),
        ] {
            assert!(!is_field_secret(class, value), "{class} {value}");
        }
    }
}
