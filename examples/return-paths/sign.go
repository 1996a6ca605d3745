// Return paths that carom verifies. See docs/return-paths.md.
//
// usage: go run sign.go KEY DOMAIN DAY < recipients
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func encode(octets []byte, digits int) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(octets))[:digits]
}

func escape(text string) string {
	var out strings.Builder
	for at := 0; at < len(text); at++ {
		octet := text[at]
		plain := 'a' <= octet && octet <= 'z' || '0' <= octet && octet <= '9' || octet == '-' || octet == '_'
		if octet == '.' {
			plain = !strings.HasSuffix(out.String(), ".") && at+1 < len(text)
		}
		if plain {
			out.WriteByte(octet)
		} else {
			fmt.Fprintf(&out, "+%02x", octet)
		}
	}
	return out.String()
}

func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

func unquote(local string) string {
	if len(local) < 2 || local[0] != '"' || local[len(local)-1] != '"' {
		return local
	}
	var out strings.Builder
	for at := 1; at < len(local)-1; at++ {
		if local[at] == '\\' && at+1 < len(local)-1 {
			at++
		}
		out.WriteByte(local[at])
	}
	return out.String()
}

// Sign returns the return path of a message to recipient. day: days since 1970,
// int(time.Now().Unix() / 86400).
func Sign(key, domain, recipient string, day int, prefix string) string {
	at := strings.LastIndex(recipient, "@")
	local := lower(unquote(recipient[:at]))
	host := lower(strings.TrimSuffix(recipient[at+1:], "."))
	domain = lower(domain)
	about := escape(local) + "=" + escape(host)
	if len(prefix)+3+1+12+1+len(about) > 64 {
		digest := sha256.Sum256([]byte(local + "\x00" + host))
		about = encode(digest[:], 24)
	}
	digits := strconv.FormatInt(int64(day%46656), 36)
	digits = strings.Repeat("0", 3-len(digits)) + digits
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("carom-verp-1\x00" + domain + "\x00" + digits + "\x00" + about))
	return prefix + digits + "-" + encode(mac.Sum(nil), 12) + "-" + about + "@" + domain
}

func main() {
	day, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(Sign(os.Args[1], os.Args[2], lines.Text(), day, "b+"))
	}
}
