#!/usr/bin/perl
# The peer for ARC seals: Mail::DKIM with its key loaded. It speaks the lines of
# worker.h. What was verified stands in an Authentication-Results field, as
# Mail::DKIM wants it.
use strict;
use warnings;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::PrivateKey;
use Time::HiRes qw(clock_gettime CLOCK_PROCESS_CPUTIME_ID);

my $folder = shift // die "usage: mail_dkim.pl FOLDER\n";
my $results = "Authentication-Results: mx.b.example;\015\012"
    . "\tspf=pass smtp.mailfrom=a.example; dkim=pass header.d=a.example;\015\012"
    . "\tarc=pass; dmarc=pass header.from=a.example\015\012";
my $key = Mail::DKIM::PrivateKey->load(File => "$folder/key.pem");

my %messages;
for my $size (qw(2k 50k 5m)) {
    open(my $file, '<:raw', "$folder/sealed-$size") or die "$folder: $!\n";
    local $/;
    $messages{"seal-$size"} = $results . <$file>;
}

sub seal {
    my ($message) = @_;
    my $signer = Mail::DKIM::ARC::Signer->new(
        Algorithm => 'rsa-sha256', Chain => 'pass', Domain => 'b.example',
        SrvId => 'mx.b.example', Selector => 's', Key => $key);
    for (my $at = 0; $at < length $$message; $at += 65536) {
        $signer->PRINT(substr($$message, $at, 65536));
    }
    $signer->CLOSE;
    die 'bench: Mail::DKIM: ' . $signer->result_detail . "\n"
        unless $signer->result eq 'sealed';
    my @set = $signer->as_strings;
}

$| = 1;
while (<STDIN>) {
    my ($job, $ms) = split;
    my $message = \($messages{$job} // die "bench: no such job\n");
    my ($count, $start) = (0, clock_gettime(CLOCK_PROCESS_CPUTIME_ID));
    my $spent = 0;
    while ($spent < $ms / 1000) {
        seal($message);
        $count++;
        $spent = clock_gettime(CLOCK_PROCESS_CPUTIME_ID) - $start;
    }
    printf "%d %d\n", $count, $spent * 1e9;
}
