# Find the self-learning program and run it with the same arguments. Nothing is ever downloaded.
# Looked at, in this order: $env:SELF_LEARNING_BIN, PATH, bin/ and target/release/ of the skill folder.
$ErrorActionPreference = 'Stop'
$skill = Split-Path -Parent $PSScriptRoot
$program = $null

if ($env:SELF_LEARNING_BIN) {
    if (-not (Test-Path -LiteralPath $env:SELF_LEARNING_BIN -PathType Leaf)) {
        [Console]::Error.WriteLine("error: SELF_LEARNING_BIN names no program: $env:SELF_LEARNING_BIN")
        [Console]::Error.WriteLine('hint: Remove-Item Env:SELF_LEARNING_BIN')
        exit 127
    }
    $program = $env:SELF_LEARNING_BIN
}

if (-not $program) {
    # Only programs count, so this script and other copies of it are never found.
    $found = Get-Command -Name 'self-learning' -CommandType Application -ErrorAction SilentlyContinue |
        Where-Object { (Split-Path -Parent $_.Source) -ne $PSScriptRoot } |
        Select-Object -First 1
    if ($found) { $program = $found.Source }
}

if (-not $program) {
    foreach ($file in 'bin/self-learning.exe', 'bin/self-learning', 'target/release/self-learning.exe', 'target/release/self-learning') {
        $candidate = Join-Path $skill $file
        if (Test-Path -LiteralPath $candidate -PathType Leaf) {
            $program = $candidate
            break
        }
    }
}

if (-not $program) {
    [Console]::Error.WriteLine('error: the self-learning program is not installed')
    if (Test-Path -LiteralPath (Join-Path $skill 'Cargo.toml')) {
        [Console]::Error.WriteLine("hint: cargo install --path '$skill' --locked")
    } else {
        [Console]::Error.WriteLine('hint: in a checkout of self-learning: cargo install --path . --locked')
    }
    exit 127
}

if ($MyInvocation.ExpectingInput) {
    $input | & $program @args
} else {
    & $program @args
}
exit $LASTEXITCODE
