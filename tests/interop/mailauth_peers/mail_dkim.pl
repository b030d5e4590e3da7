#!/usr/bin/perl
# Mail::DKIM as a peer: peers.py says what goes in and out. Exit 77: not here.
use strict;
use warnings;

BEGIN {
    eval {
        require Mail::DKIM::ARC::Signer;
        require Mail::DKIM::ARC::Verifier;
        require Mail::DKIM::Signer;
        require Mail::DKIM::Verifier;
        require Mail::DKIM::DNS;
        require Net::DNS;
        1;
    } or exit 77;
}

my ($zone, $domain) = @ARGV;
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

sub octets {
    open my $in, '<:raw', $_[0] or die "$_[0]: $!";
    local $/;
    return <$in>;
}

sub sign {
    my ($message, $out, $key, $selector, $algorithm, $canon) = @_;
    my $signer = Mail::DKIM::Signer->new(
        Algorithm => $algorithm,
        Method    => $canon,
        Domain    => $domain,
        Selector  => $selector,
        KeyFile   => $key,
    );
    $signer->PRINT(octets($message));
    $signer->CLOSE;
    my $field = $signer->signature->as_string;
    $field =~ s/\r?\n/\r\n/g;
    open my $to, '>:raw', $out or die "$out: $!";
    print $to "$field\r\n";
    close $to;
    return 'ok';
}

sub feed {
    my ($object, $message) = @_;
    $object->PRINT($message);
    $object->CLOSE;
    return $object;
}

sub chain {
    my ($message) = @_;
    my $chain = feed(Mail::DKIM::ARC::Verifier->new, octets($message));
    my $result = $chain->result;
    return $result =~ /^(?:none|pass)$/ ? $result
        : "fail $result " . ($chain->result_detail // '');
}

# It takes the results from our Authentication-Results field on top.
sub seal {
    my ($message, $out, $key, $selector, $algorithm, $id, $cv) = @_;
    my $signer = feed(
        Mail::DKIM::ARC::Signer->new(
            Algorithm => $algorithm,
            Chain     => $cv,
            Domain    => $domain,
            SrvId     => $id,
            Selector  => $selector,
            KeyFile   => $key,
        ),
        "Authentication-Results: $id; arc=$cv\r\n" . octets($message));
    return 'fail ' . $signer->result_detail
        unless $signer->result eq 'sealed';
    my $fields = $signer->as_string;
    $fields =~ s/(?:\r?\n)*\z/\n/;
    $fields =~ s/\r?\n/\r\n/g;
    open my $to, '>:raw', $out or die "$out: $!";
    print $to $fields;
    close $to;
    return 'ok';
}

sub verify {
    my ($message, $selector) = @_;
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT(octets($message));
    $verifier->CLOSE;
    for my $signature ($verifier->signatures) {
        next unless ($signature->selector // '') eq $selector;
        my $result = $signature->result;
        return $result eq 'pass' ? 'pass' : 'fail ' . $signature->result_detail;
    }
    return 'fail no signature seen';
}

$| = 1;
while (<STDIN>) {
    chomp;
    my ($what, @args) = split /\t/;
    my %do = (sign => \&sign, verify => \&verify, seal => \&seal,
        chain => \&chain);
    my $said = eval { $do{$what}->(@args) };
    $said //= "fail $@";
    $said =~ s/[\r\n]+/ /g;
    print "$said\n";
}
