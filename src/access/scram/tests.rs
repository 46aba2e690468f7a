use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::*;

const CERTIFICATE: &[u8] = b"the digest of a certificate";

fn exchange(certificate: Option<&[u8]>) -> Exchange {
    Exchange::new(Verifier::of_password("pencil"), true, certificate.map(<[u8]>::to_vec))
}

/// A login by a driver's own code; whether the server let it in, and it the server.
fn login(exchange: Exchange, mechanism: &str, password: &str, binding: ChannelBinding) -> Result<bool> {
    let mut client = ScramSha256::new(password.as_bytes(), binding);
    let (waiting, answer) = exchange.first(mechanism, client.message())?;
    client.update(answer.as_bytes()).expect("the server's first message is right");
    let Some(last) = waiting.last(client.message())? else { return Ok(false) };
    client.finish(last.as_bytes()).expect("the server's proof is right");
    Ok(true)
}

#[test]
fn the_password_lets_in_and_no_other() {
    assert!(login(exchange(None), PLAIN, "pencil", ChannelBinding::unsupported()).unwrap());
    assert!(!login(exchange(None), PLAIN, "Pencil", ChannelBinding::unsupported()).unwrap());
    assert!(!login(exchange(None), PLAIN, "", ChannelBinding::unsupported()).unwrap());
}

#[test]
fn nobody_is_let_in_who_is_not_known_not_even_with_the_right_proof() {
    let stranger = Exchange::new(Verifier::of_password("pencil"), false, None);
    assert!(!login(stranger, PLAIN, "pencil", ChannelBinding::unsupported()).unwrap());
}

#[test]
fn a_bound_channel_must_be_the_same_channel() {
    let bound = |hash: &[u8]| ChannelBinding::tls_server_end_point(hash.to_vec());
    assert!(login(exchange(Some(CERTIFICATE)), PLUS, "pencil", bound(CERTIFICATE)).unwrap());
    let error = login(exchange(Some(CERTIFICATE)), PLUS, "pencil", bound(b"another certificate")).unwrap_err();
    assert!(error.detail.unwrap().contains("channel binding check failed"));
}

#[test]
fn an_offer_of_channel_binding_cannot_be_taken_away() {
    let error = login(exchange(Some(CERTIFICATE)), PLAIN, "pencil", ChannelBinding::unrequested()).unwrap_err();
    assert_eq!(error.state, SqlState::INVALID_AUTHORIZATION);
    // A client that has no channel binding says so, and is let in.
    assert!(login(exchange(Some(CERTIFICATE)), PLAIN, "pencil", ChannelBinding::unsupported()).unwrap());
}

#[test]
fn the_standards_example_is_answered_as_it_says() {
    // RFC 7677, section 3.
    let verifier = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                    WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let exchange = Exchange::new(verifier.parse().unwrap(), true, None);
    let (waiting, answer) = exchange
        .first_with_nonce(PLAIN, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        .unwrap();
    assert_eq!(answer, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    let last = waiting.last(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    assert_eq!(last.unwrap().as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

#[test]
fn what_is_no_message_is_refused() {
    for message in [
        &b""[..],
        b"n",
        b"n,,",
        b"n,,n=,r=",
        b"n,,r=abc",
        b"x,,n=,r=abc",
        b"p=tls-unique,,n=,r=abc",
        b"n,a=eve,n=,r=abc",
        b"n,,m=ext,n=,r=abc",
        b"n,,n=,r=a\x01c",
        b"n,,n=,r=\xff",
    ] {
        assert!(exchange(None).first(PLAIN, message).is_err(), "{message:?}");
    }
    for mechanism in ["", "SCRAM-SHA-1", PLUS, "scram-sha-256"] {
        assert!(exchange(None).first(mechanism, b"n,,n=,r=abc").is_err(), "{mechanism}");
    }
    let (waiting, _) = exchange(None).first_with_nonce(PLAIN, b"n,,n=,r=abc", "def").unwrap();
    for message in ["", "c=biws", "c=biws,r=abcdef", "c=biws,r=abc,p=AAAA", "c=biws,r=abcdef,p=AAAA", "r=abcdef,p="] {
        assert!(waiting.last(message.as_bytes()).is_err(), "{message}");
    }
}
