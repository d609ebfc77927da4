//! The rule table: tokens that their vendors made recognisable.
//!
//! A row holds a class, the prefixes it is known by, the bytes and the lengths of what follows, a check, and a made-up body. Written from
//! the vendors' public descriptions. The bodies are stored without their prefix, so that no token stands whole in this file.

use super::shape::Part::{OneOf, Run, Text};
use super::shape::{
    ALNUM, ANY64, BASE64, BASE64_BODY, DASH, DIGIT, HEX, HEX_ANY, LOWER_NUMBER, PERCENT, Part, Set,
    UNRESERVED, UPPER_NUMBER, URL64, URL64_DOT, WORD,
};

const HEX_DASH: Set = HEX | DASH;
const SLACK: Set = URL64 | PERCENT;
const ANY64_DOT: Set = ANY64 | URL64_DOT;
const PERCENT64: Set = ANY64 | PERCENT;

/// What the body of a token must be like, besides its bytes and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The prefix says it all.
    Trusted,
    /// At least one digit.
    Digit,
    /// The vendor's usual length, or a mixture no word has.
    Mixed,
    /// The prefix is short or common: only what looks generated counts.
    Random,
}
use Check::{Digit, Mixed, Random, Trusted};

/// A prefix, then one run of bytes.
#[derive(Debug)]
pub(super) struct Token {
    pub class: &'static str,
    /// Separated by spaces.
    pub prefixes: &'static str,
    pub set: Set,
    pub min: usize,
    pub max: usize,
    pub check: Check,
    /// A made-up body, of the vendor's usual length.
    pub body: &'static str,
}

/// Several runs around an anchor that need not come first.
#[derive(Debug)]
pub(super) struct Shape {
    pub class: &'static str,
    /// The literal that is looked for; `parts` begin with it.
    pub anchor: &'static str,
    /// What must stand directly before the anchor and belongs to the secret.
    pub before: Option<(Set, usize, usize)>,
    pub parts: &'static [Part],
    pub check: Check,
    /// Pieces of a made-up example, to be joined.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by the test that proves each rule")
    )]
    pub example: &'static [&'static str],
    /// A look-alike that is no secret.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by the test that proves each rule")
    )]
    pub harmless: &'static str,
}

const fn token(
    class: &'static str,
    prefixes: &'static str,
    set: Set,
    min: usize,
    max: usize,
    check: Check,
    body: &'static str,
) -> Token {
    Token {
        class,
        prefixes,
        set,
        min,
        max,
        check,
        body,
    }
}

#[rustfmt::skip]
pub(super) const TOKENS: &[Token] = &[
    token("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", WORD, 20, 255, Mixed, "kbjhfHmPkyOLvVIuSB6ql4pc6tmf3CTijNLG"),
    token("github-fine-grained-token", "github_pat_", WORD, 20, 255, Mixed, "OLCaJQ4NoTgQfHStITf9cG2ngn64yrd9dNVmUrqpgcchtPuu9PenYyYefw8YzCVV1AdMtEEWBNe5Yuy6iN"),
    token("gitlab-token", "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt- glagent- gloas- glffct- glwt- GR1348941", URL64_DOT, 16, 300, Mixed, "0s2ox1q3hQPDvv9rjNYj"),
    token("aws-access-key-id", "AKIA ASIA ABIA ACCA", UPPER_NUMBER, 16, 16, Digit, "V3VF4FRJQRHJVMGQ"),
    token("aws-bedrock-key", "ABSK bedrock-api-key-", ANY64, 40, 1024, Random, "1E0N9lALsEf3sYyxfrycBSIQyulTAYiCVuGmaEtKOVxJvoLahkZeiHM8gBRILA69VPmcNeJMSJtK6GUYMGokSqUOdCKKZPkgdIyOWwmGAkEPqqRfclIQ92bt4aoYWti7"),
    token("anthropic-key", "sk-ant-", URL64, 16, 300, Mixed, "34bn7JZwQtDe3UiT1GN1zRf8VAUukBCpssaPslpBlxEu8K0LkeoIjstzj6MCnm0Mm3sXWdmGFbhGQk2KBbbSJURJSuTYoPh"),
    token("openrouter-key", "sk-or-v1- sk-or-", HEX, 32, 128, Mixed, "dea4d902ff97b5abe32a2f65b0c3b75dbef24788bac22896d11fdb226d72ffdc"),
    token("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-None-", URL64, 16, 300, Mixed, "xtND6knq9TaJSFdUVrKSRC7it3CkQBEZE8ey5aRs8rCkIfvbA8kGFVj0hKWfaNuPv1HpzP5R7E"),
    token("langfuse-key", "sk-lf-", URL64, 20, 64, Mixed, "CTqhFuJ9Ayv0eAsyKj9NTiyGBu1QkWRbn58K"),
    token("openai-key", "sk-", ALNUM, 20, 128, Random, "X5j4Ab16b1cC9hvFVoziJI97CuZiqTehiteRao2MdsBO7xHE"),
    token("stripe-key", "sk_live_ sk_test_ rk_live_ rk_test_", ALNUM, 10, 255, Mixed, "8LVnqWe1HMPxacF6fVSAGCdOuJlAUYe4"),
    token("stripe-webhook-secret", "whsec_", BASE64, 20, 128, Mixed, "HG8cNkHgjcHXE1dPW8BuvWWlCxR4ZgxL"),
    token("google-api-key", "AIza", URL64, 30, 45, Mixed, "QHsQhQQFRZLFmBMH0ufjs6y1OpksFKmbRw9"),
    token("google-oauth-secret", "GOCSPX-", URL64, 20, 60, Mixed, "410ZeHnK0MzpnmRd682JQseuJlbO"),
    token("google-oauth-token", "ya29.", URL64_DOT, 20, 2048, Mixed, "9uvyIUR5Rp1vruf3aQzNsqfvxzQLxZ7K6UzJzds6ZMTOGhMhglvWiIsYc24GwojvsDjRJ6gc44WZM1YxsITLkoTF3u3H2f5jnu1Kkxg8PgP9nTt1skBykXO4"),
    token("google-refresh-token", "1//0", URL64, 30, 512, Mixed, "OizOrgtDOScomrnHdQBl9neQ1rXOwk8qH9DVZHFIlogz1dRcZpCmsUM1CbD8vq6abFFwOnyqkP6i6CNp"),
    token("slack-token", "xoxb- xoxa- xoxp- xoxr- xoxs- xoxo- xoxe- xoxe. xoxc- xoxd- xapp-", SLACK, 10, 600, Digit, "0MVD9pZLEEBOqeQgOBqGNW4SrCeqkrkat2yc9OhEYvF2rFnv96"),
    token("npm-token", "npm_", ALNUM, 30, 64, Mixed, "CH6MW8nxsJgTkUrLLPfDNL9BOs5XeTuiqbw7"),
    token("pypi-token", "pypi-AgE", URL64, 20, 512, Trusted, "FzoybtTl8llbr1x7gmOerbju5HZyISfhJL8FSSpwMb2R1B4sQSOZ5m4MufU5iwnIy4bn9DWNa3wQgTw969QWzui4If0jb3SB2QhRgluQMEQQ3yCcyQJ0nPjF"),
    token("pypi-token", "pypi-", URL64, 50, 512, Mixed, "aSNh1h9W5nJxN6danWJQpoaxcEvOCbKOOAH08Sk7DlQD9OUxYmc4ScgLquLCt0On38oVb7nXhHaRSkMnHdpk8b1QPFWggWQmEoBbr8n5YYvIrn73s2NBGR4t"),
    token("crates-io-token", "cio", ALNUM, 32, 32, Random, "q5MrJk6kiDyumgDyaCHEHszoW49nXkfG"),
    token("rubygems-token", "rubygems_", HEX, 32, 64, Mixed, "ed674d401514ccf21137be828796d87c4a602de22b277fb2"),
    token("nuget-key", "oy2", LOWER_NUMBER, 43, 43, Random, "6uc4sxn53t0i4fdqhl24dsw2j3czpnddvk5hu3oyhlh"),
    token("docker-hub-token", "dckr_pat_ dckr_oat_", URL64, 20, 64, Mixed, "FOQAMIvkcgAoNwBAGPcfo8AOJyn"),
    token("hugging-face-token", "hf_", ALNUM, 30, 64, Mixed, "6TuIBBUyeEGlpzPF8VdF5ds4hNmTX3vVeS"),
    token("hugging-face-token", "api_org_", ALNUM, 30, 64, Mixed, "4P9z8VUDDhrb6hQtFqijCZk1liKcmoikQ9"),
    token("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", HEX, 32, 64, Mixed, "4a8177e26862578378b6be06b4f38bd313dba01e9ff330bcd7022e64b440104d"),
    token("heroku-key", "HRKU-", URL64, 30, 128, Mixed, "EV75KWbj4cry9etdWPQixtxeNeJZglhp9qVwk5EnARxPWBWPIqUb7Lwno86J"),
    token("twilio-key", "SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf", HEX, 31, 31, Mixed, "8814fafcf30e160e477383a24adb6f6"),
    token("mailgun-key", "key-", HEX, 32, 32, Mixed, "6e902bf42a5a9509184065e4ea845fc4"),
    token("mandrill-key", "md-", URL64, 22, 22, Random, "860aVjDCCPVvw4Veoj75K2"),
    token("brevo-key", "xkeysib- xsmtpsib-", HEX_DASH, 60, 90, Mixed, "4331b0a54123c15feafc2870dbe4f918d5abcfa4f23d5767597a5cd3e280cc340d0265fe58e267f30"),
    token("shopify-token", "shpat_ shpca_ shppa_ shpss_ shptka_ shpua_", HEX_ANY, 28, 64, Mixed, "5b33CB32BF223A8bd880E0253dBCC3f3"),
    token("square-token", "sq0atp- sq0csp- EAAAE", URL64, 20, 80, Mixed, "A3cd45RRNESlrURxWFmTOoq6emZjCxSyzV1xhFRTBXW"),
    token("facebook-token", "EAAC EAAG EAAB EAAL", ALNUM, 60, 400, Random, "IRuX9dtzFWSlamHqaI8U8iXXnlJAlG6WVn2x7dVg0WCr0of7Raa4gmXjXJJGPfr2dG0KXeXp7VpINpPb0deaGioTSVbqn3EKL31LMTC35Km4gkgTZIq0ilNs"),
    token("postman-key", "PMAK-", HEX_DASH, 40, 64, Mixed, "ed9fac0dc1e6ac1dde5cd9b7dab4cf1d043fcfa2ef7c31eb9d97747a2c8"),
    token("postman-key", "PMAT-", UPPER_NUMBER, 20, 32, Mixed, "FBX4MSQHHKS4ARMVKW6R53MCYQ"),
    token("new-relic-key", "NRAK- NRJS- NRII- NRIQ- NRRA- NRSP-", ALNUM, 16, 64, Mixed, "z9qv0cewrHLR06SMfooJUW2Zzjp"),
    token("sentry-token", "sntrys_ sntryu_ sntrya_ sntryi_", ANY64, 32, 600, Mixed, "VjHQievkVelnZ8kAh9JHmuUTxE0QJkhsUKRTBRsGzepsSlVpVvyi4NMAVtcs5TlM"),
    token("grafana-token", "glc_ glsa_", ANY64, 30, 400, Mixed, "n51elvpnXS4UwOLpkm4S5kzPBU3a9YBG2hb9brhCu"),
    token("linear-key", "lin_api_ lin_oauth_", ALNUM, 24, 80, Mixed, "jbyy0WlzdQAvjuRQjYowXNEXE1Q6k0SJHWKQCVgT"),
    token("notion-token", "ntn_", ALNUM, 30, 64, Mixed, "aTiFngPAK8UnYpaBTvHBoRZuq04omQV8TdqPGya7H2DhZT"),
    token("notion-token", "secret_", ALNUM, 40, 50, Random, "bxjPoL9spkv8zQfDrbrkiG8KuLVazXDc9JtL8aiWeL1"),
    token("figma-token", "figd_ figo_ figor_ figoh_", URL64, 24, 80, Mixed, "gwkuQyGo0boLWFsaEXuMIYgXEnTwvJSLLFS73gpk"),
    token("atlassian-token", "ATATT3 ATCTT3 ATSTT3", ANY64, 24, 400, Mixed, "BJzIRdtpTJxUxolBrXXzrz0dGeNmnTwArpum0QAcIpFBp3kzC17Wdcbho0osWbZB50oobnYFbLnNbc9FxPu1lI5dC6fDHpDLgLkcdEOfLOoUwpNwaKrRkYv2HcvcN1QCxsImnozBVDZgT8kX4J7NqsRxzJUcMOkGuarhm6OyCsAOEpPKM28x"),
    token("bitbucket-token", "ATBB", ANY64, 24, 64, Random, "sC3ubrbeduYw4AYBTfyrBd7CCK7JT0os"),
    token("databricks-token", "dapi dkea dose", HEX_DASH, 32, 40, Mixed, "ea52bc8b24345102bedb84986941ae62"),
    token("vault-token", "hvs. hvb. hvr.", URL64, 20, 300, Mixed, "YIWtsmYeb6Pf0B5fNa17UaQ2krRRdCH66vi7bP8ourDDrCFfzt01dtCM50oGlVudFpJ9YppqgsVpqq7yvDeI46dEJM"),
    token("pulumi-token", "pul-", HEX, 40, 64, Mixed, "6e0a151ba1a9b01af84c0c35d760ef3fc0f88f8d"),
    token("doppler-token", "dp.pt. dp.ct. dp.sa. dp.said. dp.scim. dp.audit.", ALNUM, 30, 64, Mixed, "lOzPzRvwXZYqTFtmIDzUEjGFQSaWHpTsud1mNwM4AWE"),
    token("doppler-token", "dp.st.", URL64_DOT, 30, 100, Mixed, "LcElv9Y6Cp5JUVc76aB2jlFCOEEDcdU9ox8XdwxVhRxV"),
    token("cloudflare-token", "cfut_ cfat_ cfk_", ALNUM, 30, 80, Mixed, "KqI9SqMa14Vr7oEWNFT3GL77MZOZAVBaj53lCBN2"),
    token("cloudflare-origin-key", "v1.0-", HEX_DASH, 100, 200, Mixed, "0d5dc58da385b2167cedd5fee5aa9623ce5046d97716c78b092ae84c585bc7fa0c58e3985bcaf33562e7a107da5dc5032a6500f826131d879f3417cddd3f0803bf698c1537b436551483b4d7dd514a7f5ffc594cbdc"),
    token("vercel-token", "vcp_ vci_ vca_ vcr_ vck_", ALNUM, 24, 80, Mixed, "NdLFJ8RzhgNbengps1cufm1VSWjvQ1p9hwDxvk8GuFoRjfust1oXyXZq"),
    token("netlify-token", "nfp_ nfc_ nfo_ nfu_ nfb_", ALNUM, 24, 80, Mixed, "3WphbcZ6TPjVN1OBC8caFKJaezqsIJuKqOWB"),
    token("supabase-key", "sbp_ sbp_oauth_", HEX, 32, 64, Mixed, "71d2d8b8a27681c048e17175a26b7e9c7868f3f9"),
    token("supabase-key", "sb_secret_", URL64, 20, 80, Mixed, "ayyVhOc6usJzrHk0y3SO5frpagB7lDc"),
    token("planetscale-token", "pscale_tkn_ pscale_pw_ pscale_oauth_", URL64_DOT, 24, 80, Mixed, "qFpC2sHtufk6Y9K05wXlpJWzrm2TWIdJjLIs7GWR6gh"),
    token("age-key", "AGE-SECRET-KEY-1 AGE-PLUGIN-YUBIKEY-1", UPPER_NUMBER, 40, 120, Mixed, "PNXSHTX3J4LXPXQ2P3SLKAQJBTZ6GZWNBRV2FRLT26HYWUXCNNGW36CPRT"),
    token("perplexity-key", "pplx-", ALNUM, 32, 80, Mixed, "NbjCczR620DTy5vj1jdrnW5L2UZEynRskZtxElFCtJzhpAQt"),
    token("groq-key", "gsk_", ALNUM, 30, 80, Mixed, "4cvnQrOEsgl9rTydIZyagxVrLsMQWD4kpQrESuyfm4GPWvW7gbYy"),
    token("xai-key", "xai-", ALNUM, 32, 120, Mixed, "gkdhNdyeshwLYsTeQJgAdNcJ8QySVz0utpfBM1Fax74hHsjdqUdiRO3CQ65Kms32VRHM6PEKH16f7ImO"),
    token("replicate-token", "r8_", ALNUM, 30, 64, Mixed, "alC4P0tzp2n1xauAFvpz4x8LKGXwe8cxzHvpQ"),
    token("langsmith-key", "lsv2_pt_ lsv2_sk_", WORD, 30, 80, Mixed, "SM6aLxawKtfw3mrKSDOer0om00hsVb8Ae2jPCNqbVaI"),
    token("nvidia-key", "nvapi-", URL64, 40, 100, Mixed, "J7dsppAEdr5EqMFmi8ZyiVRCc1HrjxTHRsjNvzs9dFtURJwfCBcyCc5cpNI3XCDy"),
    token("pinecone-key", "pcsk_", WORD, 30, 120, Mixed, "0ikSYmh4xU2t1P6UqbDq3PcCOnq7ZWMl2PvgNFYfcxQJyX0iTeRLa2iDCoCqbCv0embg4Q"),
    token("together-key", "tgp_v1_", URL64, 30, 80, Mixed, "UehR7UGIUJ5tXSOB1Xb4jlLbI0KOv0JUSuQIZlCKmPX"),
    token("cerebras-key", "csk-", LOWER_NUMBER, 40, 64, Random, "xxj5alz75qa54qwp3pdl4twz9lf3g6ms9ebwta9yj4ch1oac"),
    token("fireworks-key", "fw_", ALNUM, 22, 40, Random, "ke7ppCJJzLzEAUzmncF6hSQb"),
    token("tavily-key", "tvly-", URL64, 24, 64, Mixed, "lEH1RJjSbLKtUvzdHx21xxyPK2fdtmTp"),
    token("elevenlabs-key", "sk_", HEX, 40, 64, Mixed, "be74e806eae663ffc573488e71453b16e59b9372363290fd"),
    token("dropbox-token", "sl.u. sl.", URL64, 100, 2048, Random, "iH3HFbCzlvEmqfFUfv5q5oLGqk038Gz58Ivh77P20woWAxfy403W0M2OSNV1dNKc9pk9BkTII2aqOYMvmUHFDbTMtMWyQpf4Jdj3kBrx5g4hzRlRWxxCpp0rRMlXeCpIRFq82XD3"),
    token("dynatrace-token", "dt0c01. dt0s16. dt0s01.", URL64_DOT, 60, 120, Mixed, "dI7rXVbfmpAaHr7Wywta04lnLf9E48ifi4ElsaCcmAKBZNHFpyoNHfkPKNlXeaNNlWAfMxhwOvQwkQdzWrRotUgUe"),
    token("easypost-key", "EZAK EZTK", ALNUM, 54, 54, Random, "LzJzoektaM8Fbh1D9EfgDuvufMQZyYNdgllOAxtSkTGPFKyzEpwrCj"),
    token("flutterwave-key", "FLWSECK_TEST- FLWSECK-", URL64, 12, 60, Mixed, "tWyePIuUxzTV2qzFBAyBkKU4nyJu6OZu"),
    token("adafruit-key", "aio_", ALNUM, 28, 28, Random, "d0aDBykn6r85vfCRYrojw0c1OqAD"),
    token("alibaba-access-key-id", "LTAI", ALNUM, 12, 26, Random, "eW5Dzyv8I79AmK36k0yZ"),
    token("tencent-access-key-id", "AKID", ALNUM, 32, 36, Random, "GnOztK9v8DfLyomVgAkLyaNqHRyb4COa"),
    token("yandex-key", "AQVN", URL64, 30, 50, Random, "EPrqptn063yYkl2cvRxPSpbAytll6Gngqs8"),
    token("clojars-token", "CLOJARS_", HEX, 40, 64, Mixed, "e70401fda15f205a68e9cfb5f96d7fbec0f52a7c8d5845aa01600080d9c5"),
    token("readme-key", "rdme_", LOWER_NUMBER, 40, 80, Mixed, "2nb5k6ngy1f98yxptfy2btfkqzx79annks94qp9xb719fezs2pahht1t4w42c2phmngfju"),
    token("prefect-key", "pnu_ pnb_", ALNUM, 30, 50, Mixed, "f3zoSqTWhIrLlRburxC7G1uENjMnApprtuwB"),
    token("scalingo-token", "tk-us-", URL64, 40, 64, Mixed, "tx2ByXV1VC1QvmEN7qy9pkALnaByCj7RviNmvBspMKffzJcY"),
    token("shippo-token", "shippo_live_ shippo_test_", HEX, 32, 64, Mixed, "6f4911f5eb9e9a3af90f518b57d5e5535f31793f"),
    token("typeform-token", "tfp_", URL64_DOT, 40, 80, Mixed, "j7z7PUeaQlA1FwCUfEuLprfCelsi9IfiPXcagnqGgBxgKVtVcTiGsE8ZH1U"),
    token("sonarqube-token", "sqp_ squ_ sqa_", HEX, 32, 64, Mixed, "6e2ec9177291f8a1b03c4138ca48427bcdab0631"),
    token("circleci-token", "CCIPAT_ CCIPRJ_", WORD, 30, 100, Mixed, "xump5R2udEBppJxIiyUz5DlJEuhSWTHar4t6rcrRUNVYWfzlR3dF2fYzSr6rETs"),
    token("buildkite-token", "bkua_ bkpt_ bkaj_", ALNUM, 30, 64, Mixed, "zY63lcPQQiM9AIot2c1FgXd1EOgAk9MB0qFGlJji"),
    token("artifactory-token", "AKCp", ALNUM, 60, 80, Random, "aj6S1BadrzPWZCFGR8tXu0epEv7qVBRpkq9JsJU1qAsnKWHx85iWOh3w0TEgOuoC57Zas"),
    token("artifactory-token", "cmVmdGtu", ANY64, 40, 80, Random, "mvr17IRCPGOFQQ7QzbHUeGoGvzZKP1xfBevv5U1s8xG7IhcB9rmOc6mP"),
    token("contentful-token", "CFPAT-", URL64, 30, 64, Mixed, "1UtvSSynoE9dKxbSpg2Mzr6qe6xyYn65dhvrwxdwPfD"),
    token("hubspot-token", "pat-na1- pat-na2- pat-eu1-", HEX_DASH, 32, 40, Mixed, "59aa94cb2d368b026d08ecb7b9a6238dd0b9"),
    token("onepassword-token", "ops_eyJ", ANY64, 60, 4096, Trusted, "VNggg54jhtvkfT5corGIKezxkNW2NV0LVEa1TLn6IQagFnrAJVGe93Ta8Sg2uD5GtPJloUko8xG16dtZD4tCcNVPfZS5a4iZCJr1Ium4s5ERhLu7kCYa85H6Mh0JlhMQQoAt4yrtXUn15wReGny5sLSLIL7MYjrFmZ3EvnvuF8EDPOQpyIJEXIeUm1RC6pR5abnqdMQH7D2fN79psezn6KQSCbUuBA6UjCQdPG7qEQuAdwaIFYtntsPhHJ"),
    token("posthog-key", "phx_", ALNUM, 30, 64, Mixed, "4XjEU8Gi3wdXDGsndufKRQ10MglebuH1wiw74LwEOBx"),
    token("tailscale-key", "tskey-", URL64, 20, 100, Mixed, "fL9GWCXTzsW1fKkoYMzZtHfJweNc0RoWaVI9OBaeMhVqeD0YWp"),
    token("fly-token", "fm2_ fm1r_ fm1a_ fo1_", ANY64, 30, 2000, Mixed, "NiNTEDQH3XwXnGLIoNcgxN0w9eAv8roI7JqoOtHTyKIyeawqGSHnmRShZ3SsSoJiUmdkqbiU5RzHzMLj0Zse3sI5F6OKSiLjU62WXg6FEAUM1PwJMpzFfj7E"),
    token("render-key", "rnd_", ALNUM, 24, 64, Random, "qlICuqDdiaAcUGJNTVUlOwvj7j4ePD45"),
    token("neon-key", "napi_", LOWER_NUMBER, 40, 80, Mixed, "mxdj9rpvjc2hrx93xt9lzwd0e3ndgr301o636aiijvrwa9jkc7lnkostpst5ucst"),
    token("atlas-secret", "mdb_sa_sk_", URL64, 24, 64, Mixed, "hj3OOuQghdMteLLifo273vmGCmLHmOaJF1I5bmTP"),
    token("elastic-key", "essu_", ANY64, 40, 120, Mixed, "bFrg4E1Kea4zdXU74Z8UsAxIyCNvIFAoQyUNrUW4ReFZ0te09Uo5Xl6sdiIdS0n4L79xHAxb"),
    token("cockroach-key", "CCDB1_", WORD, 40, 80, Mixed, "8vVN93nIHLNwmuwjOVgDbhb6iF1MaDAuUkxY6AJcSXIUJqGOSzXHujQbm5xcsM8N"),
    token("mapbox-token", "sk.eyJ", URL64_DOT, 40, 300, Trusted, "aDDRzaiNx0eIIyUijVAnnzOYhm6grPkxux1UTJlQNox3nTotptnLeeA22B73cWPSfwH7ZY7bp19KQ1Sbk3VHrwntGHvLar74xtHm2gye7ourQP"),
    token("razorpay-key", "rzp_live_ rzp_test_", ALNUM, 14, 24, Mixed, "4MFfAfDJyHvGno"),
    token("plaid-token", "access-sandbox- access-development- access-production-", HEX_DASH, 32, 40, Mixed, "0dcc4c195d178694d9d0b275b82087816832"),
    token("launchdarkly-key", "sdk-", HEX_DASH, 36, 36, Mixed, "e4c397be780c138b9e44f6a3da465d6afe98"),
    token("wakatime-key", "waka_", HEX_DASH, 36, 36, Mixed, "613c1b7f853b015fbe6ba772d790003ad78a"),
    token("duffel-token", "duffel_live_ duffel_test_", URL64, 40, 60, Mixed, "xsuxW9SLLYToZav97jlYN7ceOFV1WgHTkMFHhR6zEyv"),
    token("frameio-token", "fio-u-", URL64, 50, 80, Mixed, "0MwPHebk7jIAQ2VPVKPZt9F4bhx5pjrbO0KNP3uvUQUcNjA2vw0QZqnLkSTjFbkf"),
    token("twitter-bearer-token", "AAAAAAAAAAAAAAAAAAAAA", PERCENT64, 40, 200, Random, "WLW51JHkE2In1jPGRhNCxXBWoz0nsn9NqmjvliRj2awt8VWpq4Ubnzw3HQ5xavs9Bgh1GCCnPlz2W8rlH6ML"),
    token("checkly-key", "cu_", HEX, 32, 40, Random, "648190ff19bbee90d20bbf2ee7ccb3a7"),
    token("e2b-key", "e2b_", HEX, 40, 64, Mixed, "d127e18d8c48edca9747504c4040cba6df58f4cb"),
    token("browserbase-key", "bb_live_ bb_test_", URL64, 20, 60, Mixed, "XcQFczBdcWpHaqU5yXQwBbWUdUZ"),
    token("resend-key", "re_", WORD, 24, 48, Random, "oq3LYDPGlOxktu8p6vqlc0REKZyfdfge7"),
    token("clerk-key", "ak_live_ ak_test_", ALNUM, 20, 80, Mixed, "IMm40UklPkR4NWPI1X9k3NzJgsV9YtbPN3QrJLoO"),
    token("workos-key", "sk_a2V5", ALNUM, 20, 120, Trusted, "wV5La8gM8yESU09R7tXdRX48vD3Ftt9nQ19rx0R5WyhUfzwOCOTYnDX28cjZ"),
    token("lob-key", "live_ test_", HEX, 35, 36, Mixed, "a3957d1e65ce5e7626aa9b910819d5c374f"),
    token("honeycomb-key", "hcaik_ hcalk_ hcxik_", ALNUM, 40, 80, Mixed, "FUUY8iRUdQEz4wowUL4BgpVr7y2Fpgt5VBpGw7v2FqP3GDDhdP6sKd04VJ"),
    token("snyk-token", "snyk_uat. snyk_sat.", URL64_DOT, 30, 200, Mixed, "gCRlDmP5WCG8JgYZ3xnrBXJu04JtYjhfLJrSWrvhCkWoV4WtJbqFeafY45Au"),
    token("axiom-token", "xaat- xapt-", HEX_DASH, 36, 36, Mixed, "c69398013052180ab98df16b613c8abd4528"),
    token("apify-token", "apify_api_", ALNUM, 24, 64, Mixed, "Dml1wZl1zeocNmzoQrumsSIhmoIPxGGQQfm0"),
    token("ionic-token", "ion_", ALNUM, 42, 42, Random, "AgJGsybKNYg4BnEVCf4BREHfi40iBKXMJ9KXxzj9Na"),
    token("sourcegraph-token", "sgp_ sgd_ slk_", WORD, 40, 64, Mixed, "jhAcAHffParcQcMT3wbjOypPEcPebwpcvNTJQB7tju5gf3qt7TiHQaiiYJxXn1ax"),
    token("infracost-key", "ico-", ALNUM, 32, 32, Random, "Ntj872Wt66kj4bZcWR0HFw0KPbM1TMAW"),
    token("pagerduty-key", "pdus+_ pdeu+_", WORD, 24, 60, Mixed, "v26fEAHAq82u5x78j3H3DWjuhdqK5YMmFcrOh9xj"),
    token("agent-key", "sk-cp- sk-kimi- sk-ws- sk-vt- sk-sp-", URL64, 24, 200, Mixed, "APVZ5Jd1oD9OYv6JbR9iac7rxrkA9cOn3zLZKlLxkcwkxncj"),
];

#[rustfmt::skip]
pub(super) const SHAPES: &[Shape] = &[
    Shape { class: "sendgrid-key", anchor: "SG.", before: None, parts: &[Text("SG."), Run(URL64, 16, 32), Text("."), Run(URL64, 16, 64)],
        check: Mixed, example: &["SG", ".aB3dE5gH7jK9mN1pQ3sT5v.", "Zx8Cv6Bn4Mq2We0Rt9Yu7Io5Pa3Sd1Fg8Hj6Kl4Zx2C"], harmless: "SG.config.default" },
    Shape { class: "slack-webhook", anchor: "hooks.slack.com/", before: None,
        parts: &[Text("hooks.slack.com/"), OneOf(&["services/", "workflows/", "triggers/"]), Run(WORD, 3, 24), Text("/"), Run(WORD, 3, 32), Text("/"), Run(URL64, 8, 64)],
        check: Mixed, example: &["hooks.slack", ".com/services/T03KX81QW/B04MZ72PL/", "q8Rt5Yw2Lp9Zx4Vb7Nm1Kc6J"], harmless: "hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX" },
    Shape { class: "discord-webhook", anchor: "/api/webhooks/", before: None, parts: &[Text("/api/webhooks/"), Run(DIGIT, 15, 22), Text("/"), Run(URL64, 30, 100)],
        check: Mixed, example: &["/api/web", "hooks/118273645546372819/", "kR8wQ2zLp5VxN7cB1mT4yG9hJ3dF6sAeUoI0kR8wQ2zLp5VxN7cB1mT4yG9hJ3dF6"], harmless: "/api/webhooks/github/events" },
    Shape { class: "teams-webhook", anchor: ".webhook.office.com/webhookb2/", before: Some((URL64, 1, 63)), parts: &[Text(".webhook.office.com/webhookb2/"), Run(HEX_DASH, 36, 36), Text("@"), Run(HEX_DASH, 36, 36), Text("/IncomingWebhook/"), Run(HEX, 20, 64)],
        check: Mixed, example: &["contoso.webhook.office.com/web", "hookb2/3f1c9a52-7b08-4e6d-9a11-5c2d8e7f4b60@8d2e4c71-0a9b-4f35-b6c8-1e7d5f3a2b94/IncomingWebhook/", "9b8a7c6d5e4f43218765abcd0f1e2d3c"], harmless: "example.webhook.office.com/webhookb2/readme" },
    Shape { class: "zapier-webhook", anchor: "hooks.zapier.com/hooks/catch/", before: None, parts: &[Text("hooks.zapier.com/hooks/catch/"), Run(DIGIT, 4, 12), Text("/"), Run(LOWER_NUMBER, 5, 16)],
        check: Trusted, example: &["hooks.zapier.com/ho", "oks/catch/4827193/", "b3k9x2q"], harmless: "hooks.zapier.com/hooks/catch/" },
    Shape { class: "telegram-bot-token", anchor: ":AA", before: Some((DIGIT, 7, 12)), parts: &[Text(":AA"), Run(URL64, 30, 40)],
        check: Trusted, example: &["7148", "293650:AA", "Hq9Zx7Lk3Wv5Rt1Yp8Nc2Bm6Jd4Fs0Gu_e"], harmless: "12:AA" },
    Shape { class: "mailchimp-key", anchor: "-us", before: Some((HEX, 32, 32)), parts: &[Text("-us"), Run(DIGIT, 1, 2)],
        check: Trusted, example: &["9f3b7c1d5e8a2046", "b4d8f1a3c5e7092b-us", "14"], harmless: "northwind-us2" },
    Shape { class: "terraform-cloud-token", anchor: ".atlasv1.", before: Some((ALNUM, 14, 14)), parts: &[Text(".atlasv1."), Run(URL64, 50, 80)],
        check: Mixed, example: &["k8Qw3Zx7Lp2Vn5", ".atlasv1.", "R4tY9uI1oP6aS3dF8gH2jK5lZ7xC0vB4nM9qW1eR6tY3uI8oP2aS5dF7gH0jK4lZ9"], harmless: "module.atlasv1.resource" },
    Shape { class: "airtable-token", anchor: "pat", before: None, parts: &[Text("pat"), Run(ALNUM, 14, 14), Text("."), Run(HEX, 60, 64)],
        check: Mixed, example: &["pa", "tX7k2Lm9Qw4Rz8T.", "3f9a1c7e5b2d8046af13ce57b9d20864a1c3e5f7092b4d6f8a0c2e4b6d8f1a3c"], harmless: "patternMatcherOne.default" },
    Shape { class: "braintree-token", anchor: "access_token$", before: None, parts: &[Text("access_token$"), OneOf(&["production$", "sandbox$"]), Run(LOWER_NUMBER, 12, 20), Text("$"), Run(HEX, 32, 32)],
        check: Mixed, example: &["access_to", "ken$production$k7h3m9q2w5x8z4v6$", "5d1f8b3a7c2e9064d8b1f3a5c7e90246"], harmless: "access_token$" },
    Shape { class: "new-relic-license", anchor: "NRAL", before: Some((ALNUM, 36, 36)), parts: &[Text("NRAL")],
        check: Trusted, example: &["8f2b4c6d0e1a3957bd8f", "1c3e5a70FFFF92b4", "NRAL"], harmless: "NRAL" },
    Shape { class: "azure-client-secret", anchor: "8Q~", before: Some((UNRESERVED, 3, 3)), parts: &[Text("8Q~"), Run(UNRESERVED, 31, 36)],
        check: Mixed, example: &["kT3", "8Q~", "wLp5VxN7cB1mT4yG9hJ3dF6sAeUoI0kR.8w"], harmless: "8Q~1" },
    Shape { class: "azure-client-secret", anchor: "7Q~", before: Some((UNRESERVED, 3, 3)), parts: &[Text("7Q~"), Run(UNRESERVED, 31, 36)],
        check: Mixed, example: &["b_Z", "7Q~", "wLp5VxN7cB1mT4yG9hJ3dF6sAeUoI0kR-8w"], harmless: "7Q~1" },
    Shape { class: "azure-storage-key", anchor: "+ASt", before: Some((BASE64_BODY, 60, 90)), parts: &[Text("+ASt"), Run(ALNUM, 4, 8), Text("==")],
        check: Mixed, example: &["Rz7Kd3Wq9Xn5Vb1Mc8Lp4Ty6Hj2Gf0Sa7Rz3Kd9Wq5Xn1Vb8Mc4Lp6Ty2Hj0Gf7Sa3Rz9Kd5Wq", "+ASt", "kX2bQ9=="], harmless: "1+ASt" },
    Shape { class: "azure-devops-token", anchor: "AZDO", before: Some((ALNUM, 70, 80)), parts: &[Text("AZDO"), Run(ALNUM, 3, 8)],
        check: Mixed, example: &["4Rz7Kd3Wq9Xn5Vb1Mc8Lp4Ty6Hj2Gf0Sa7Rz3Kd9Wq5Xn1Vb8Mc4Lp6Ty2Hj0Gf7Sa3JQQJ99BF", "AZDO", "3kQ2"], harmless: "AZDO" },
    Shape { class: "asana-token", anchor: "1/1", before: None, parts: &[Text("1/1"), Run(DIGIT, 12, 18), Text(":"), Run(HEX, 32, 32)],
        check: Trusted, example: &["1", "/1204857392016482:", "7c2e9064d8b1f3a5c7e902465d1f8b3a"], harmless: "1/12/2024" },
    Shape { class: "asana-token", anchor: "2/1", before: None, parts: &[Text("2/1"), Run(DIGIT, 12, 18), Text("/"), Run(DIGIT, 12, 18), Text(":"), Run(HEX, 32, 32)],
        check: Trusted, example: &["2", "/1204857392016482/1207391846205813:", "7c2e9064d8b1f3a5c7e902465d1f8b3a"], harmless: "2/12/2024" },
    Shape { class: "grafana-key", anchor: "eyJrIjoi", before: None, parts: &[Text("eyJrIjoi"), Run(ANY64, 50, 400)],
        check: Mixed, example: &["eyJr", "Ijoi", "Wk5tN3hQMmJLOXdSNHZMNnBUMXlKOGNIMGRGNWdTM2EiLCJuIjoiY2kiLCJpZCI6MX0="], harmless: "eyJrIjoi" },
    Shape { class: "password-hash", anchor: "$apr1$", before: None, parts: &[Text("$apr1$"), Run(ANY64_DOT, 1, 8), Text("$"), Run(ANY64_DOT, 22, 22)],
        check: Trusted, example: &["$apr1", "$k8Rt5Yw2$", "Lp9Zx4Vb7Nm1Kc6J3qTdF0"], harmless: "$apr1$salt$hash" },
    Shape { class: "password-hash", anchor: "$1$", before: None, parts: &[Text("$1$"), Run(ANY64_DOT, 4, 8), Text("$"), Run(ANY64_DOT, 22, 22)],
        check: Trusted, example: &["$1", "$k8Rt5Yw2$", "Lp9Zx4Vb7Nm1Kc6J3qTdF0"], harmless: "cost $1$2" },
    Shape { class: "password-hash", anchor: "$5$", before: None, parts: &[Text("$5$"), Run(ANY64_DOT, 4, 16), Text("$"), Run(ANY64_DOT, 43, 43)],
        check: Trusted, example: &["$5", "$k8Rt5Yw2$", "Lp9Zx4Vb7Nm1Kc6J3qTdF0Lp9Zx4Vb7Nm1Kc6J3qTdF"], harmless: "from $5$ to" },
    Shape { class: "password-hash", anchor: "$6$", before: None, parts: &[Text("$6$"), Run(ANY64_DOT, 4, 16), Text("$"), Run(ANY64_DOT, 86, 86)],
        check: Trusted, example: &["$6", "$k8Rt5Yw2$", "Lp9Zx4Vb7Nm1Kc6J3qTdF0Lp9Zx4Vb7Nm1Kc6J3qTdFLp9Zx4Vb7Nm1Kc6J3qTdF0Lp9Zx4Vb7Nm1Kc6J3qTdF"], harmless: "$6$salt$hash" },
    Shape { class: "password-hash", anchor: "$y$", before: None, parts: &[Text("$y$"), Run(ANY64_DOT, 2, 8), Text("$"), Run(ANY64_DOT, 16, 86), Text("$"), Run(ANY64_DOT, 43, 43)],
        check: Trusted, example: &["$y", "$j9T$", "k8Rt5Yw2Lp9Zx4Vb7Nm1Kc$Lp9Zx4Vb7Nm1Kc6J3qTdF0Lp9Zx4Vb7Nm1Kc6J3qTdF"], harmless: "$y$x" },
    Shape { class: "password-hash", anchor: "$2a$", before: None, parts: &[Text("$2a$"), Run(DIGIT, 2, 2), Text("$"), Run(ANY64_DOT, 53, 53)],
        check: Trusted, example: &["$2a", "$12$", "Lp9Zx4Vb7Nm1Kc6J3qTdF0Lp9Zx4Vb7Nm1Kc6J3qTdFLp9Zx4Vb7N"], harmless: "$2a$10$ is the prefix" },
    Shape { class: "password-hash", anchor: "$2b$", before: None, parts: &[Text("$2b$"), Run(DIGIT, 2, 2), Text("$"), Run(ANY64_DOT, 53, 53)],
        check: Trusted, example: &["$2b", "$12$", "Lp9Zx4Vb7Nm1Kc6J3qTdF0Lp9Zx4Vb7Nm1Kc6J3qTdFLp9Zx4Vb7N"], harmless: "$2b$10$ is the prefix" },
    Shape { class: "password-hash", anchor: "$2y$", before: None, parts: &[Text("$2y$"), Run(DIGIT, 2, 2), Text("$"), Run(ANY64_DOT, 53, 53)],
        check: Trusted, example: &["$2y", "$12$", "Lp9Zx4Vb7Nm1Kc6J3qTdF0Lp9Zx4Vb7Nm1Kc6J3qTdFLp9Zx4Vb7N"], harmless: "$2y$10$ is the prefix" },
    Shape { class: "digitalocean-spaces-key", anchor: "DO00", before: None, parts: &[Text("DO00"), Run(UPPER_NUMBER, 16, 16)],
        check: Random, example: &["DO", "00", "K7XW2QZ9LM4RT8VB"], harmless: "DO00" },
];
