#!/usr/bin/perl
# Mail::DKIM as a peer of the command line tool, with the records of its --dns
# file:
#
#     mail_dkim.pl dkim|arc ZONE < message                  its verdict
#     mail_dkim.pl seal KEY DOMAIN SELECTOR ID < message    the sealed message
#
# Exit 77: it is not here.
use strict;
use warnings;

BEGIN {
    eval {
        require Mail::DKIM::Verifier;
        require Mail::DKIM::ARC::Verifier;
        require Mail::DKIM::ARC::Signer;
        require Mail::DKIM::DNS;
        require Net::DNS;
        1;
    } or exit 77;
}

binmode STDIN;
binmode STDOUT;
my ($mode, @args) = @ARGV;
my $message = do { local $/; <STDIN> };

if ($mode eq 'seal') {
    my ($key, $domain, $selector, $id) = @args;
    my $sealer = Mail::DKIM::ARC::Signer->new(
        Algorithm => 'rsa-sha256',
        Chain     => 'ar',
        Domain    => $domain,
        Selector  => $selector,
        SrvId     => $id,
        KeyFile   => $key,
    );
    $sealer->PRINT($message);
    $sealer->CLOSE;
    die $sealer->{details} // 'not sealed' unless $sealer->result eq 'sealed';
    # Topmost first; each may be folded with LF or CRLF.
    for my $field ($sealer->as_strings) {
        $field =~ s/\r?\n/\r\n/g;
        print "$field\r\n";
    }
    print $message;
    exit 0;
}

my %txt;
open my $zone, '<', $args[0] or die "$args[0]: $!";
while (<$zone>) {
    my ($name, $rest) = /^(\S+?)\.?\s+(?:\d+\s+)?(?:IN\s+)?TXT\s+(".*)/ or next;
    $txt{lc $name} = join '', $rest =~ /"([^"]*)"/g;
}

{
    no warnings 'redefine';
    *Mail::DKIM::DNS::query = sub {
        my ($name, $type) = @_;
        $@ = exists $txt{$name} ? 'NOERROR' : 'NXDOMAIN';
        return unless exists $txt{$name};
        return Net::DNS::RR->new(
            name    => $name,
            type    => 'TXT',
            txtdata => [$txt{$name} =~ /(.{1,200})/g],
        );
    };
}

my $verifier =
    $mode eq 'arc'
    ? Mail::DKIM::ARC::Verifier->new
    : Mail::DKIM::Verifier->new;
$verifier->PRINT($message);
$verifier->CLOSE;
print $verifier->result, "\n";
