#!/usr/bin/perl
# Mail::DKIM's verdict on a message: dkim_peers.pl verify|arc ZONE < message.
# Exit 77: it is not here.
use strict;
use warnings;

BEGIN {
    eval {
        require Mail::DKIM::Verifier;
        require Mail::DKIM::ARC::Verifier;
        require Mail::DKIM::DNS;
        require Net::DNS;
        1;
    } or exit 77;
}

my ($mode, $zone) = @ARGV;
my %txt;
open my $fh, '<', $zone or die "$zone: $!";
while (<$fh>) {
    my ($name, $rest) = /^(\S+) TXT (.*)/ or next;
    $txt{$name} = join '', $rest =~ /"([^"]*)"/g;
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
binmode STDIN;
local $/;
$verifier->PRINT(<STDIN>);
$verifier->CLOSE;
print $verifier->result, "\n";
