//! Whose key it is, by the name of the key: tokens without a prefix of their own are told apart only so.

use super::field::Kind;

/// A class that says whose key it is, where the name of the key says so.
pub(super) fn vendor_class(name: &str, kind: Kind, value: &str) -> &'static str {
    const VENDORS: &[(&str, &str)] = &[
        ("aws_secret", "aws-secret-access-key"),
        ("secretaccesskey", "aws-secret-access-key"),
        ("secret_access_key", "aws-secret-access-key"),
        ("aws_session", "aws-session-token"),
        ("x-amz-security-token", "aws-session-token"),
        ("x-amz-signature", "aws-signature"),
        ("accountkey", "azure-storage-key"),
        ("sharedaccesskey", "azure-shared-access-key"),
        ("azure", "azure-client-secret"),
        ("arm_client_secret", "azure-client-secret"),
        ("heroku", "heroku-key"),
        ("datadog", "datadog-key"),
        ("dd_api", "datadog-key"),
        ("dd_app", "datadog-key"),
        ("dd-api", "datadog-key"),
        ("dd-application", "datadog-key"),
        ("cloudflare", "cloudflare-token"),
        ("cf_api", "cloudflare-token"),
        ("x-auth-key", "cloudflare-token"),
        ("fastly", "fastly-token"),
        ("vercel", "vercel-token"),
        ("twilio", "twilio-token"),
        ("pagerduty", "pagerduty-key"),
        ("okta", "okta-token"),
        ("auth0", "auth0-secret"),
        ("algolia", "algolia-key"),
        ("mailgun", "mailgun-key"),
        ("mailchimp", "mailchimp-key"),
        ("asana", "asana-token"),
        ("airtable", "airtable-token"),
        ("new_relic", "new-relic-key"),
        ("newrelic", "new-relic-key"),
        ("discord", "discord-bot-token"),
        ("telegram", "telegram-bot-token"),
        ("circle", "circleci-token"),
        ("travis", "travis-token"),
        ("codecov", "codecov-token"),
        ("jira", "atlassian-token"),
        ("atlassian", "atlassian-token"),
        ("confluence", "atlassian-token"),
        ("trello", "trello-key"),
        ("zendesk", "zendesk-token"),
        ("snyk", "snyk-token"),
        ("mistral", "mistral-key"),
        ("cohere", "cohere-key"),
        ("deepseek", "deepseek-key"),
        ("gemini", "google-api-key"),
        ("bitbucket", "bitbucket-token"),
        ("buildkite", "buildkite-token"),
        ("ngrok", "ngrok-token"),
        ("railway", "railway-token"),
        ("upstash", "upstash-token"),
        ("netlify", "netlify-token"),
        ("npm", "npm-token"),
        ("square", "square-token"),
        ("paypal", "paypal-secret"),
        ("braintree", "braintree-token"),
        ("plaid", "plaid-token"),
        ("vault", "vault-token"),
        ("consul", "consul-token"),
        ("gitlab", "gitlab-token"),
        ("github", "github-token"),
        ("slack", "slack-token"),
        ("stripe", "stripe-key"),
    ];
    if matches!(
        kind,
        Kind::Password | Kind::Passphrase | Kind::Cookie | Kind::Dsn
    ) {
        return kind.class();
    }
    if kind == Kind::Signature && value.contains('%') {
        return "azure-shared-access-signature";
    }
    VENDORS
        .iter()
        .find(|(part, _)| name.contains(part))
        .map_or(kind.class(), |(_, class)| class)
}
