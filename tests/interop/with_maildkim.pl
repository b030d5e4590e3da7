#!/usr/bin/perl
# Mail::DKIM's word on a message, for comparison with ours. Same use as
# with_dkimpy.py; the message comes on standard input, CRLF or LF.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::DNS;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;

# Answers from a file of dig lines, in place of Net::DNS::Resolver.
package Records {
    use Net::DNS;

    sub new {
        my ($class, $path) = @_;
        my %found;
        open my $file, '<', $path or die "$path: $!\n";
        while (<$file>) {
            next unless /^(\S+?)\.?\s+(?:\d+\s+)?(?:IN\s+)?TXT\s+"/i;
            push @{ $found{lc $1} }, [/"([^"]*)"/g];
        }
        return bless { found => \%found }, $class;
    }

    sub send {
        my ($self, $name, $type) = @_;
        my $reply = Net::DNS::Packet->new($name, $type, 'IN');
        my $texts = $self->{found}{ lc $name =~ s/\.$//r };
        $reply->header->qr(1);
        $reply->header->rcode($texts ? 'NOERROR' : 'NXDOMAIN');
        for my $strings (@{ $texts // [] }) {
            $reply->push(answer => Net::DNS::RR->new(
                name => $name, type => 'TXT', ttl => 300, txtdata => $strings));
        }
        return $reply;
    }

    sub errorstring { 'NOERROR' }
}

sub feed {
    my ($object, $message) = @_;
    $object->PRINT($message);
    $object->CLOSE;
    return $object;
}

sub verify {
    my ($message, $dns) = @_;
    Mail::DKIM::DNS::resolver(Records->new($dns));
    my $dkim = feed(Mail::DKIM::Verifier->new, $message);
    my @dkim = map {
        { d => $_->domain, result => $_->result }
    } grep { ref $_ eq 'Mail::DKIM::Signature' } $dkim->signatures;
    my $arc = feed(Mail::DKIM::ARC::Verifier->new, $message);
    my @seals = grep { ref $_ eq 'Mail::DKIM::ARC::Seal' } $arc->signatures;
    my %out = (by => 'Mail::DKIM', dkim => \@dkim, arc => $arc->result,
        instances => scalar @seals);
    $out{why} = $arc->result_detail unless $arc->result =~ /^(pass|none)$/;
    print JSON::PP->new->canonical->encode(\%out), "\n";
}

my ($command, @args) = @ARGV;
binmode STDIN;
binmode STDOUT;
my $message = do { local $/; <STDIN> };
$message =~ s/\r?\n/\r\n/g;

if ($command eq 'verify') {
    verify($message, @args);
}
elsif ($command eq 'sign') {
    my ($key, $domain, $selector) = @args;
    my $signer = feed(
        Mail::DKIM::Signer->new(Algorithm => 'rsa-sha256',
            Method => 'relaxed/relaxed', Domain => $domain,
            Selector => $selector, KeyFile => $key), $message);
    print $signer->signature->as_string, "\r\n", $message;
}
elsif ($command eq 'seal') {
    my ($key, $domain, $selector, $id, $dns) = @args;
    Mail::DKIM::DNS::resolver(Records->new($dns));
    my $chain = feed(Mail::DKIM::ARC::Verifier->new, $message)->result;
    my $signer = feed(
        Mail::DKIM::ARC::Signer->new(Algorithm => 'rsa-sha256',
            Chain => $chain, Domain => $domain, SrvId => $id,
            Selector => $selector, KeyFile => $key), $message);
    die 'no ARC set: ', $signer->result, "\n"
        unless $signer->result eq 'sealed';
    # as_string gives lines that end in CRLF, the last without.
    my $fields = $signer->as_string;
    $fields =~ s/(\r?\n)*\z/\r\n/;
    print $fields, $message;
}
else {
    die "usage: $0 verify|sign|seal ...\n";
}
