#!/usr/bin/perl
# Return paths that carom verifies. See docs/return-paths.md.
# usage: sign.pl KEY DOMAIN DAY < recipients
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 sha256);

sub base32 {
    my ($octets, $digits) = @_;
    my @alphabet = ('a' .. 'z', 2 .. 7);
    my $bits = unpack('B*', $octets);
    $bits .= '0' while length($bits) % 5;
    my $text = join '', map { $alphabet[oct("0b$_")] } $bits =~ /(.{5})/g;
    return substr($text, 0, $digits);
}

sub escape {
    my @octets = split //, shift;
    my $out = '';
    for my $at (0 .. $#octets) {
        my $octet = $octets[$at];
        my $plain = $octet eq '.' ? $out !~ /\.$/ && $at < $#octets : $octet =~ /^[a-z0-9_-]$/;
        $out .= $plain ? $octet : sprintf('+%02x', ord $octet);
    }
    return $out;
}

# Texts are octets (UTF-8). $day: days since 1970, int(time / 86400).
sub sign {
    my ($key, $domain, $recipient, $day, $prefix) = @_;
    $prefix = 'b+' unless defined $prefix;
    my ($local, $host) = $recipient =~ /^(.*)@(.*)$/;
    $local =~ s/\\(.)/$1/g if $local =~ s/^"(.*)"$/$1/;
    $host =~ s/\.$//;
    tr/A-Z/a-z/ for $local, $host, $domain;
    my $about = escape($local) . '=' . escape($host);
    if (length($prefix) + 3 + 1 + 12 + 1 + length($about) > 64) {
        $about = base32(sha256("$local\0$host"), 24);
    }
    my @digits = (0 .. 9, 'a' .. 'z');
    $day %= 46656;
    $day = join '', map { $digits[$_] } int($day / 1296), int($day / 36) % 36, $day % 36;
    my $tag = base32(hmac_sha256("carom-verp-1\0$domain\0$day\0$about", $key), 12);
    return "$prefix$day-$tag-$about\@$domain";
}

my ($key, $domain, $day) = @ARGV;
while (my $line = <STDIN>) {
    $line =~ s/\r?\n$//;
    print sign($key, $domain, $line, $day), "\n";
}
