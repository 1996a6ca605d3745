# The world outside: a client that hands in a message, and a mail exchanger that takes mail.
#
#   smtp.pl send ADDRESS SENDER RECIPIENT... < MESSAGE    from this address; prints the refusals
#   smtp.pl serve PORT DIRECTORY
#
# The server writes each message to the directory, below its envelope. It knows no `gone@`, and while
# there is a file DIRECTORY/hold it keeps its clients waiting, and says so in DIRECTORY/held.
use strict;
use warnings;
use IO::Socket::INET;

sub reply {
    my $peer = shift;
    while (my $line = <$peer>) {
        return $line unless $line =~ /^\d{3}-/;
    }
    die "the connection is closed\n";
}

sub send_message {
    my ($from, $sender, @recipients) = @_;
    my $peer = IO::Socket::INET->new(LocalAddr => $from, PeerAddr => '127.0.0.1:25', Timeout => 30)
        or die "no connection: $@\n";
    my $command = sub {
        my ($line, $fine) = @_;
        print $peer "$line\r\n";
        my $reply = reply($peer);
        die "$line: $reply" if $fine && $reply !~ /^$fine/;
        return $reply;
    };
    reply($peer);
    $command->('EHLO client.sender.example', '2');
    $command->("MAIL FROM:<$sender>", '2');
    for my $recipient (@recipients) {
        my $reply = $command->("RCPT TO:<$recipient>");
        print "$recipient: $reply" if $reply !~ /^2/;
    }
    $command->('DATA', '3');
    my $message = join '', <STDIN>;
    $message =~ s/\r?\n/\r\n/g;
    $message =~ s/^\./../mg;
    print $peer $message;
    $command->('.', '2');
    $command->('QUIT');
}

sub converse {
    my ($client, $directory) = @_;
    if (-e "$directory/hold") {
        open my $held, '>', "$directory/held";
        close $held;
        sleep 1 while -e "$directory/hold";
    }
    my @envelope;
    print $client "220 mx.sender.example\r\n";
    while (my $line = <$client>) {
        $line =~ s/\r?\n$//;
        @envelope = () if $line =~ /^(MAIL|RSET)/i;
        if ($line =~ /^RCPT TO:<gone@/i) {
            print $client "550 5.1.1 user unknown\r\n";
        } elsif ($line =~ /^(MAIL FROM|RCPT TO):/i) {
            push @envelope, "$line\n";
            print $client "250 2.0.0 ok\r\n";
        } elsif ($line =~ /^DATA/i) {
            print $client "354 go on\r\n";
            my $name = "$directory/" . time . "-$$";
            open my $file, '>', "$name.tmp" or die;
            print $file @envelope;
            while (my $text = <$client>) {
                last if $text =~ /^\.\r?\n$/;
                print $file $text =~ s/^\.//r =~ s/\r\n$/\n/r;
            }
            close $file;
            rename "$name.tmp", "$name.msg";
            print $client "250 2.0.0 taken\r\n";
        } elsif ($line =~ /^QUIT/i) {
            print $client "221 2.0.0 bye\r\n";
            return;
        } else {
            print $client "250 mx.sender.example\r\n";
        }
    }
}

sub serve {
    my ($port, $directory) = @_;
    $SIG{CHLD} = 'IGNORE';
    my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 50, ReuseAddr => 1)
        or die "cannot listen: $@\n";
    while (1) {
        my $client = $server->accept or next;
        next if fork;
        $client->autoflush(1);
        converse($client, $directory);
        exit;
    }
}

my $what = shift;
alarm 60 if $what eq 'send';
if ($what eq 'send') { send_message(@ARGV) } else { serve(@ARGV) }
