#!/usr/bin/env php
<?php
// Return paths that carom verifies. See docs/return-paths.md.
// usage: sign.php KEY DOMAIN DAY < recipients

function base32(string $octets, int $digits): string
{
    $bits = '';
    foreach (str_split($octets) as $octet) {
        $bits .= sprintf('%08b', ord($octet));
    }
    $text = '';
    foreach (str_split($bits, 5) as $group) {
        $text .= 'abcdefghijklmnopqrstuvwxyz234567'[bindec(str_pad($group, 5, '0'))];
    }
    return substr($text, 0, $digits);
}

function escape(string $text): string
{
    $out = '';
    foreach (str_split($text) as $at => $octet) {
        $plain = $octet === '.'
            ? !str_ends_with($out, '.') && $at + 1 < strlen($text)
            : preg_match('/^[a-z0-9_-]$/D', $octet) === 1;
        $out .= $plain ? $octet : sprintf('+%02x', ord($octet));
    }
    return $out;
}

function lower(string $text): string
{
    return strtr($text, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
}

/** $day: days since 1970, intdiv(time(), 86400). */
function sign(string $key, string $domain, string $recipient, int $day, string $prefix = 'b+'): string
{
    $at = strrpos($recipient, '@');
    $local = substr($recipient, 0, $at);
    $host = preg_replace('/\.$/D', '', substr($recipient, $at + 1));
    if (preg_match('/^"(.*)"$/Ds', $local, $quoted)) {
        $local = preg_replace('/\\\\(.)/s', '$1', $quoted[1]);
    }
    [$local, $host, $domain] = [lower($local), lower($host), lower($domain)];
    $about = escape($local) . '=' . escape($host);
    if (strlen($prefix) + 3 + 1 + 12 + 1 + strlen($about) > 64) {
        $about = base32(hash('sha256', "$local\0$host", true), 24);
    }
    $day = str_pad(base_convert((string) ($day % 46656), 10, 36), 3, '0', STR_PAD_LEFT);
    $tag = base32(hash_hmac('sha256', "carom-verp-1\0$domain\0$day\0$about", $key, true), 12);
    return "$prefix$day-$tag-$about@$domain";
}

[, $key, $domain, $day] = $argv;
while (($line = fgets(STDIN)) !== false) {
    echo sign($key, $domain, rtrim($line, "\r\n"), (int) $day), "\n";
}
