//! What the directive detector looks for, as data.

/// Words in order, with gaps.
#[derive(Debug)]
pub(super) struct Pattern {
    pub class: &'static str,
    pub weight: u32,
    /// One list of alternatives per position; `word*` is a beginning.
    pub slots: &'static [&'static [&'static str]],
    /// How many other words may stand between two positions.
    pub gap: usize,
    /// How many sentence ends the match may cross.
    pub sentences: usize,
    /// The pattern itself begins with a negation, so a negation is no excuse.
    pub is_negation: bool,
}

/// A run of characters, for scripts without spaces and for tags.
#[derive(Debug)]
pub(super) struct Phrase {
    pub class: &'static str,
    pub weight: u32,
    pub text: &'static str,
}

const fn words(
    class: &'static str,
    weight: u32,
    gap: usize,
    slots: &'static [&'static [&'static str]],
) -> Pattern {
    Pattern {
        class,
        weight,
        slots,
        gap,
        sentences: 0,
        is_negation: false,
    }
}

const fn forbids(
    class: &'static str,
    weight: u32,
    gap: usize,
    slots: &'static [&'static [&'static str]],
) -> Pattern {
    Pattern {
        class,
        weight,
        slots,
        gap,
        sentences: 0,
        is_negation: true,
    }
}

const fn spanning(
    class: &'static str,
    weight: u32,
    gap: usize,
    slots: &'static [&'static [&'static str]],
) -> Pattern {
    Pattern {
        class,
        weight,
        slots,
        gap,
        sentences: 1,
        is_negation: false,
    }
}

const fn phrase(class: &'static str, weight: u32, text: &'static str) -> Phrase {
    Phrase {
        class,
        weight,
        text,
    }
}

/// The weight of a download piped into a shell, which honest installers also ask for.
pub(super) const PIPE_TO_SHELL: u32 = 71;

#[rustfmt::skip]
const DROP: &[&str] = &["ignore", "disregard", "forget", "bypass", "neglect", "ignoring", "disregarding"];
#[rustfmt::skip]
const REPLACE: &[&str] = &["override", "overrule", "discard", "drop", "erase", "overwrite", "supersede"];
#[rustfmt::skip]
const TEACHING: &[&str] = &["instruction*", "prompt", "directive*", "guideline*", "guardrail*", "training", "guidance"];
#[rustfmt::skip]
const EARLIER: &[&str] = &["previous", "prior", "above", "earlier", "preceding", "original", "initial", "foregoing"];
#[rustfmt::skip]
const ORDERS: &[&str] = &["instruction*", "prompt", "prompts", "directive*", "guideline*", "rules", "commands", "orders", "guardrail*", "constraints", "messages", "context", "training", "guidance"];
#[rustfmt::skip]
const USER: &[&str] = &["user", "users", "human", "humans", "operator", "developer", "owner", "person", "reviewer", "reviewers", "anyone", "maintainer"];
#[rustfmt::skip]
const GUARDS: &[&str] = &["safety", "guard", "guards", "guardrail*", "sandbox", "permission", "permissions", "approval", "approvals", "safeguard*", "moderation", "policies", "restrictions", "confirmation", "confirmations", "protections"];
#[rustfmt::skip]
const SHELLS: &[&str] = &["sh", "bash", "zsh", "dash", "python", "python3", "perl", "ruby", "node", "iex", "pwsh", "powershell", "sudo", "/bin/sh", "/bin/bash", "php", "invoke-expression"];
#[rustfmt::skip]
const FETCH: &[&str] = &["curl", "wget", "iwr", "irm", "invoke-webrequest", "invoke-restmethod", "fetch"];
#[rustfmt::skip]
const SEND: &[&str] = &["send", "post", "upload", "exfiltrate", "forward", "transmit", "leak", "submit", "email", "mail", "beacon", "deliver", "push"];
#[rustfmt::skip]
const VALUABLES: &[&str] = &["~/.ssh*", ".ssh*", "id_rsa*", "id_ed25519*", "/etc/passwd", "/etc/shadow", ".env*", "environment", "env", "printenv", "~/.aws*", ".aws*", "credentials", "credential", "secrets", "secret", "tokens", "token", "password", "passwords", "keys", "key", "cookies", "cookie", "keychain", "~/.netrc", ".netrc", "wallet", "~/.config*", "~/.kube*", "~/.npmrc", "ssh_auth_sock", "history", "~/.git-credentials", "api-key", "api_key", "apikey", "transcript", "conversation"];
#[rustfmt::skip]
const TARGET: &[&str] = &["http://", "webhook*", "pastebin*", "gist", "attacker*", "ngrok*", "requestbin*", "server", "endpoint", "external", "remote", "discord", "telegram", "dns"];

#[rustfmt::skip]
pub(super) const PATTERNS: &[Pattern] = &[
    // Overriding what the reader was told before.
    words("override", 100, 4, &[DROP, EARLIER, ORDERS]),
    words("override", 100, 4, &[REPLACE, &["previous", "prior", "your", "system", "earlier", "original", "initial", "developer", "above"], TEACHING]),
    words("override", 90, 0, &[DROP, &["the", "everything", "all"], &["above"]]),
    words("override", 90, 2, &[DROP, &["your", "system", "developer", "all"], ORDERS]),
    words("override", 90, 3, &[DROP, &["everything", "anything", "what", "whatever", "all"], &["above", "before", "told", "previously", "earlier", "said"]]),
    words("override", 80, 4, &[&["do", "don't"], &["follow", "obey"], EARLIER, ORDERS]),
    forbids("override", 80, 3, &[&["not", "don't", "stop", "never"], &["follow", "following", "obey", "obeying"], &["previous", "prior", "your", "earlier", "system", "original"], ORDERS]),
    words("override", 70, 3, &[&["new", "updated", "real", "actual", "true"], &["instructions", "system", "directive"], &["supersede*", "override*", "replace", "replaces", "follow"]]),
    words("override", 80, 5, &[&["instructions", "instruction", "message", "note", "text", "card", "rule"], &["override*", "supersede*", "outrank*", "takes", "overrule*"], &["your", "all", "any", "system", "precedence"], ORDERS]),
    words("override", 70, 4, &[&["takes", "take", "has", "have"], &["precedence", "priority"], &["over"], &["system", "user", "user's", "your", "developer"]]),
    words("override", 90, 3, &[&["your", "all"], EARLIER, TEACHING, &["void", "invalid", "obsolete", "cancelled", "canceled", "revoked", "superseded", "null"]]),
    words("role", 60, 6, &[&["whatever", "regardless"], &["user", "asks", "asked"], &["always", "answer", "reply", "respond", "say"]]),
    words("conceal", 70, 4, &[&["pretend", "claim"], &["user", "human"], &["approved", "consented", "agreed", "confirmed", "authorised", "authorized"]]),
    forbids("conceal", 80, 3, &[&["not", "don't", "never"], &["let", "allow"], &["user", "human", "operator", "reviewer", "owner", "anyone"], &["see", "know", "notice", "find", "learn", "read"]]),
    // Posing as a role or changing the reader's.
    words("role", 90, 2, &[&["you"], &["are"], &["now"], &["dan", "root", "free", "unrestricted", "acting", "operating", "developer", "jailbroken", "evil", "assistant", "ai", "unfiltered", "hacker", "pirate", "administrator", "system", "uncensored", "god"]]),
    words("role", 80, 3, &[&["enter", "activate", "enable", "switch"], &["dan", "god", "jailbreak", "unrestricted"], &["mode"]]),
    spanning("role", 80, 5, &[&["enter", "activate", "enable", "switch"], &["developer", "debug", "admin", "root", "maintenance"], &["mode"], &["skip", "ignore", "bypass", "reveal", "obey", "refuse", "unrestricted"]]),
    words("role", 80, 3, &[&["pretend", "imagine", "act", "behave"], &["you", "as", "like", "if"], &["no", "unrestricted", "unfiltered", "without"], &["restrictions", "rules", "limits", "filters", "ai", "limitations", "guidelines", "assistant"]]),
    words("role", 70, 2, &[&["from"], &["now"], &["on"], &["you"], &["will", "must", "are", "shall", "only", "obey"]]),
    words("role", 70, 3, &[&["message", "notice", "instruction", "instructions", "order"], &["from"], &["system", "administrator", "anthropic", "openai", "developer", "developers"], &["you", "assistant", "agent", "must"]]),
    words("role", 80, 4, &[&["reveal", "print", "repeat", "output", "show", "disclose", "leak", "reproduce"], &["your"], &["system", "hidden", "initial", "secret"], &["prompt", "instructions", "message", "prompts"]]),
    // Hiding from the person.
    forbids("conceal", 90, 4, &[&["not", "don't", "never", "without", "avoid"], &["tell", "telling", "inform", "informing", "mention", "mentioning", "reveal", "revealing", "notify", "notifying", "alert", "alerting", "ask", "disclose"], &["user", "human", "operator", "anyone", "owner", "reviewer", "reviewers"]]),
    forbids("conceal", 80, 3, &[&["not", "don't", "never", "without"], &["tell", "mention", "mentioning", "disclose", "reveal", "report", "log", "reporting", "show", "display", "surface"], &["this", "it", "that"], &["to"], USER]),
    words("conceal", 80, 4, &[&["hide", "conceal", "withhold", "keep", "keeping", "hidden", "secret"], &["this", "it", "these", "that", "everything", "secret", "hidden", "result", "results", "output", "change", "changes", "step"], &["from"], USER]),
    words("conceal", 80, 5, &[&["user", "human", "operator", "developer", "reviewer"], &["must", "should", "need", "needs", "does", "can", "will"], &["not", "never"], &["know", "see", "notice", "learn", "find", "hear", "be"], &["this", "it", "about", "out", "of", "told", "aware", "informed"]]),
    words("conceal", 70, 3, &[&["silently", "secretly", "quietly", "covertly", "stealthily", "discreetly"], &["run", "execute", "install", "send", "upload", "post", "add", "append", "exfiltrate", "copy", "delete", "commit", "push", "download", "forward", "read", "modify", "insert", "disable", "change", "replace", "alter", "switch", "swap"]]),
    words("conceal", 65, 4, &[&["run", "execute", "install", "send", "upload", "do", "perform", "push"], &["this", "it", "these"], &["silently", "secretly", "covertly", "quietly", "stealthily", "discreetly"]]),
    words("conceal", 70, 3, &[&["before", "without"], &["user", "human", "operator", "owner", "user's"], &["notices", "noticing", "knowing", "knowledge", "consent", "seeing", "sees", "approval", "permission", "realizes", "realising"]]),
    // Switching off what protects.
    words("disarm", 80, 4, &[&["disable", "bypass", "ignore", "deactivate", "circumvent", "remove", "skip", "evade", "suspend", "defeat", "override"], &["all", "your", "any", "every", "its"], GUARDS]),
    words("disarm", 80, 2, &[&["disable", "bypass", "deactivate", "circumvent", "evade", "defeat", "turn"], &["off", "safety", "the", "content", "security"], &["safety", "guard", "guards", "guardrails", "safeguards", "filter", "filters", "checks", "protections", "moderation", "sandbox"]]),
    words("disarm", 75, 3, &[&["approve", "accept", "grant", "confirm", "allow"], &["all", "every", "any", "everything"], &["permission*", "request*", "tool", "prompts", "command*", "changes", "action*"], &["automatically", "without", "silently", "unconditionally", "blindly"]]),
    words("disarm", 75, 4, &[&["without"], &["asking", "requesting", "seeking", "waiting"], &["for"], &["permission", "approval", "confirmation", "consent"], &["delete", "run", "execute", "send", "push", "upload", "install"]]),
    // Fetching and running.
    words("fetch-and-run", PIPE_TO_SHELL, 14, &[FETCH, &["http://"], &["|"], SHELLS]),
    words("fetch-and-run", PIPE_TO_SHELL, 12, &[SHELLS, &["<", "$", "-c", "-e"], FETCH, &["http://"]]),
    words("fetch-and-run", 70, 3, &[&["iex", "invoke-expression", "eval"], &["irm", "iwr", "curl", "wget", "new-object", "$"], &["http://", "net.webclient", "curl", "wget"]]),
    spanning("fetch-and-run", 70, 7, &[&["download", "fetch", "wget", "curl", "retrieve", "pull", "get"], &["http://"], &["run", "execute", "eval", "source", "chmod", "launch", "follow", "obey"]]),
    spanning("fetch-and-run", 40, 6, &[&["follow", "obey", "execute", "load", "apply"], &["instructions", "commands", "directives", "steps", "orders"], &["at", "from", "in", "on"], &["http://"]]),
    words("fetch-and-run", 80, 8, &[&["base64", "b64decode", "frombase64string", "xxd", "atob"], &["|", "exec", "eval", "execute", "run"], &["sh", "bash", "python", "python3", "it", "result", "zsh", "iex", "perl", "node", "eval", "exec", "output"]]),
    words("fetch-and-run", 80, 6, &[&["decode", "base64-decode"], &["base64", "following", "payload", "string", "blob", "hex"], &["run", "execute", "eval", "exec"]]),
    words("fetch-and-run", 80, 3, &[&["exec", "eval"], &["base64.b64decode", "b64decode", "atob", "base64"]]),
    // Sending things away.
    spanning("exfiltrate", 80, 9, &[SEND, VALUABLES, TARGET]),
    spanning("exfiltrate", 80, 9, &[&["read", "cat", "collect", "gather", "open", "grab", "take", "find", "locate", "harvest", "steal", "extract", "print", "copy", "encode", "zip", "tar", "dump", "printenv", "env", "export"], VALUABLES, SEND, &["it", "them", "http://", "to", "everything", "contents", "-d", "result", "output"]]),
    words("exfiltrate", 85, 12, &[&["curl", "wget", "nc", "ncat", "httpie", "http", "fetch"], &["-d", "--data*", "-f", "--form", "-t", "--upload-file", "-x", "--post-file*", "|", "<", "post"], &["env", "printenv", "cat", "~/.ssh*", "~/.aws*", ".env*", "id_rsa*", "/etc/passwd", "~/.netrc"]]),
    words("exfiltrate", 85, 10, &[&["env", "printenv", "cat", "tar", "set", "base64"], &["|"], &["curl", "nc", "ncat", "wget", "netcat"]]),
    words("exfiltrate", 70, 5, &[&["exfiltrate", "steal", "harvest"], &["the", "all", "user", "user's", "any", "their", "data", "keys", "credentials", "secrets", "tokens"]]),
    words("exfiltrate", 70, 4, &[&["include", "embed", "append", "put", "encode"], VALUABLES, &["in", "as", "into"], &["url", "query", "image", "link", "dns"]]),
    spanning("exfiltrate", 75, 9, &[&["read", "open", "cat", "take", "collect", "dump"], VALUABLES, &["include", "append", "paste", "embed", "attach"], &["in", "to", "into"]]),
    words("exfiltrate", 75, 4, &[&["append", "include", "embed", "paste", "attach", "answer", "reply", "respond"], &["contents", "values", "content"], &["~/.ssh*", ".ssh*", "id_rsa*", "id_ed25519*", "/etc/passwd", "/etc/shadow", ".env", "~/.aws*", "credentials", "secrets", "~/.netrc", "~/.kube*", "~/.npmrc"]]),
    words("exfiltrate", 70, 6, &[&["add"], &["remote"], &["http://"], &["push"]]),
    // Covering the tracks of what was done before.
    spanning("conceal", 65, 10, &[&["send", "upload", "grant", "run", "execute", "install", "push", "copy", "export"], &["then", "and"], &["clear", "delete", "remove", "erase", "wipe"], &["history", "log", "logs", "audit", "trace", "traces"]]),
    words("conceal", 75, 2, &[&["keep"], &["this", "that", "it"], &["to"], &["yourself"]]),
    words("conceal", 75, 2, &[&["nobody", "no-one"], &["needs", "has", "should", "must", "may", "will"], &["know", "notice", "find", "see", "learn", "approve", "confirm"]]),
    words("conceal", 75, 7, &[&["reply", "tell", "say", "report", "claim", "answer", "respond"], &["pass", "passed", "passes", "succeeded", "success", "ok", "done", "green", "fine"], &["whatever", "regardless", "even"]]),
    words("conceal", 75, 7, &[&["if", "when"], &["user", "human", "reviewer", "maintainer"], &["ask", "asks", "asked"], &["say", "claim", "deny", "pretend", "lie"]]),
    // Speaking as one who may give orders, or of the reader's true purpose.
    words("override", 80, 3, &[&["treat", "consider", "regard"], &["everything", "all", "anything"], &["above", "before", "earlier"], &["joke", "void", "obsolete", "invalid", "cancelled", "canceled", "test"]]),
    words("override", 75, 1, &[&["your"], &["true", "real", "actual", "secret"], &["goal", "task", "purpose", "mission", "objective", "job"], &["is"]]),
    words("override", 60, 1, &[&["the"], &["real", "true", "actual"], &["task", "goal", "objective", "mission"], &["is"], &["to"], &["print", "send", "reveal", "delete", "upload", "leak", "output", "disclose"]]),
    forbids("override", 80, 3, &[&["no"], &["longer"], &["have", "need", "must", "required", "bound"], &["follow", "respect", "obey", "comply", "by"], ORDERS]),
    words("override", 75, 2, &[&["ignore", "disregard", "override"], &["user's", "human's"], &["objection*", "wishes", "request*", "instruction*", "complaint*", "orders", "concerns"]]),
    words("role", 75, 3, &[&["authorise", "authorize", "permit", "order", "command", "instruct"], &["you"], &["to"], &["skip", "bypass", "ignore", "disable", "delete", "override", "reveal", "send", "push"]]),
    words("role", 70, 6, &[&["pretend", "imagine", "assume"], &["you"], &["full", "unlimited", "root", "admin", "unrestricted"], &["access", "rights", "permissions", "privileges"]]),
    forbids("role", 75, 2, &[&["you"], &["have", "are"], &["no", "not", "without"], &["restrictions", "filters", "guidelines", "guardrails", "restricted", "bound"]]),
    words("disarm", 70, 6, &[&["apply", "promote", "accept", "merge", "approve", "delete", "push", "continue", "proceed"], &["without"], &["asking"], &["anybody", "anyone", "user", "them", "first", "me", "human", "permission"]]),
    words("disarm", 45, 3, &[&["bypass", "skip", "circumvent", "suppress"], &["the"], &["approval", "approvals", "confirmation", "confirmations"], &["step", "prompt", "prompts", "for", "process"]]),
    words("role", 30, 1, &[&["act", "run", "operate"], &["as"], &["root", "admin", "administrator", "superuser"], &["and"]]),
    words("override", 90, 2, &[&["drop", "discard", "erase", "scrap"], EARLIER, &["rules", "instructions", "orders", "prompt", "directives", "guidelines", "guidance"]]),
    forbids("conceal", 80, 2, &[&["say", "tell", "mention", "report", "reveal"], &["nothing"], &["to"], USER]),
    words("conceal", 70, 1, &[&["keep"], &["quiet", "silent"], &["about"]]),
    spanning("fetch-and-run", 75, 4, &[&["fetch", "download", "get", "open", "read", "load"], &["http://"], &["do"], &["everything", "whatever", "what", "exactly"]]),
    words("exfiltrate", 75, 5, &[&["put", "encode", "write", "insert", "hide", "place"], &["aws_secret*", ".npmrc", "~/.ssh*", "id_rsa*", ".env", "credentials", "secrets", "keychain", "/etc/passwd", "api_key"], &["in", "into"], &["commit", "branch", "url", "comment", "message", "title", "description"]]),
    words("role", 80, 1, &[&["forget"], &["who", "what"], &["you"], &["are"]]),
    // Planting itself.
    words("persist", 70, 7, &[&["overwrite", "edit", "rewrite", "change", "modify"], &["agents.md", "claude.md", "skill.md", ".cursorrules", "gemini.md"], &["this", "these"], &["rule", "line", "card", "text", "note", "instruction*", "rules"]]),
    words("persist", 70, 7, &[&["add", "append", "insert", "write", "copy", "put", "propagate", "replicate"], &["this", "these", "following"], &["instruction*", "text", "paragraph", "card", "message", "prompt", "line", "note"], &["claude.md", "agents.md", "cards", "skill.md", "memories", "prompts", "skills", "memory"]]),
    words("persist", 70, 5, &[&["backdoor", "reverse", "keylogger", "rootkit"], &["install", "shell", "into", "in", "open", "add", "to"]]),
    words("persist", 70, 3, &[&["install", "add", "insert", "plant", "open", "create"], &["backdoor", "keylogger", "rootkit"]]),
    // The strongest override phrases in other languages.
    words("override", 100, 4, &[&["ignoriere", "ignorier", "ignorieren", "vergiss", "missachte", "vergessen"], &["alle", "sämtliche", "vorherigen", "bisherigen", "alles", "vorigen", "deine"], &["anweisungen", "instruktionen", "anweisung", "vorgaben", "regeln", "befehle", "anleitungen", "vorherige", "bisherige"]]),
    words("override", 100, 5, &[&["ignore", "ignorez", "ignorer", "oublie", "oubliez", "oublier"], &["toutes", "les", "tes", "vos", "tous", "tout", "toute"], &["instructions", "consignes", "directives", "règles", "ordres"]]),
    words("override", 100, 5, &[&["ignora", "ignore", "ignorar", "olvida", "olvide", "olvidar", "desestima", "descarta"], &["todas", "las", "tus", "sus", "toda", "todo", "cualquier"], &["instrucciones", "órdenes", "indicaciones", "reglas", "directrices"]]),
    words("override", 100, 5, &[&["ignore", "esqueça", "desconsidere", "ignora", "dimentica"], &["todas", "as", "suas", "tutte", "le"], &["instruções", "ordens", "istruzioni", "regras"]]),
    words("override", 100, 5, &[&["игнорируй", "игнорируйте", "игнорировать", "забудь", "забудьте", "проигнорируй", "проигнорируйте"], &["все", "предыдущие", "прежние", "всё", "свои", "прошлые"], &["инструкции", "указания", "команды", "правила", "предыдущие", "инструкций"]]),
    forbids("conceal", 90, 4, &[&["не", "nicht", "pas", "no", "ne"], &["говори", "сообщай", "рассказывай", "сообщайте", "говорите", "dis", "dites", "digas", "diga", "sage", "informes", "informe", "verrate"], &["пользователю", "utilisateur", "l'utilisateur", "al", "usuario", "benutzer"]]),
    words("conceal", 90, 3, &[&["sage", "sag", "verrate", "erzähle", "teile"], &["dem", "den"], &["benutzer", "nutzer", "anwender"], &["nichts", "nicht", "davon"]])];

#[rustfmt::skip]
pub(super) const PHRASES: &[Phrase] = &[
    phrase("override", 100, "忽略之前"),
    phrase("override", 100, "忽略以上"),
    phrase("override", 100, "忽略所有"),
    phrase("override", 100, "忽略先前"),
    phrase("override", 100, "忽略上述"),
    phrase("override", 100, "忽略前面"),
    phrase("override", 100, "无视之前"),
    phrase("override", 100, "无视以上"),
    phrase("override", 100, "无视所有"),
    phrase("override", 100, "忘记之前"),
    phrase("override", 100, "忘记所有"),
    phrase("override", 100, "不要遵守之前"),
    phrase("override", 100, "忽略你之前"),
    phrase("override", 100, "忽略一切"),
    phrase("conceal", 90, "不要告诉用户"),
    phrase("conceal", 90, "别告诉用户"),
    phrase("conceal", 90, "不要让用户知道"),
    phrase("conceal", 90, "不要通知用户"),
    phrase("override", 100, "以前の指示を無視"),
    phrase("override", 100, "これまでの指示を無視"),
    phrase("override", 100, "指示を無視"),
    phrase("override", 100, "指示をすべて無視"),
    phrase("override", 100, "指示は無視"),
    phrase("override", 100, "命令を無視"),
    phrase("override", 100, "指示を忘れ"),
    phrase("override", 100, "指示をすべて忘れ"),
    phrase("override", 100, "指示は全て無視"),
    phrase("conceal", 90, "ユーザーに伝えない"),
    phrase("conceal", 90, "ユーザーに知らせない"),
    phrase("conceal", 90, "ユーザーには言わない"),
    phrase("conceal", 90, "ユーザーに言わない"),
    phrase("conceal", 90, "ユーザーには知らせない"),
    phrase("role-tag", 60, "<|im_start|>"),
    phrase("role-tag", 60, "<|im_end|>"),
    phrase("role-tag", 60, "[inst]"),
    phrase("role-tag", 60, "<<sys>>"),
    phrase("role-tag", 60, "<|system|>"),
    phrase("role-tag", 60, "</system>"),
    phrase("role-tag", 60, "<system>"),
    phrase("role-tag", 60, "<system-reminder>"),
    phrase("role-tag", 60, "</system-reminder>"),
    phrase("role-tag", 60, "<|endoftext|>"),
    phrase("role-tag", 60, "<|start_header_id|>"),
    phrase("role-tag", 60, "<important>"),
    phrase("role-tag", 60, "[system]:"),
    phrase("role-tag", 60, "### system:"),
    phrase("role-tag", 60, "[system message]"),
    phrase("role-tag", 60, "</user>"),
    phrase("role-tag", 60, "</tool_result>"),
    phrase("role-tag", 60, "</function_results>"),
    phrase("role-tag", 60, "<assistant>"),
    phrase("role-tag", 60, "### instruction:"),
    phrase("role-tag", 60, "begin system prompt")];
