//! `Scram`: the client's side of SCRAM (RFC 5802), over the primitives of the TLS provider.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

/// A broker that asks for more would keep us busy for minutes.
const ITERATIONS_MAX: u32 = 1_000_000;
/// No channel binding.
const HEAD: &str = "n,,";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

/// One exchange.
pub(crate) struct Scram {
    algorithm: Algorithm,
    password: String,
    nonce: String,
    first_bare: String,
    server_signature: Option<Vec<u8>>,
}

/// The broker's messages do not make an exchange, or it does not know the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    #[error("the broker's SCRAM message is not understood")]
    Malformed,
    #[error("the broker refuses the login: {0}")]
    Refused(String),
    #[error("the broker asks for {0} iterations")]
    Iterations(u32),
    #[error("the broker does not prove that it knows the password")]
    Signature,
}

impl Algorithm {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Algorithm::Sha256 => &digest::SHA256,
            Algorithm::Sha512 => &digest::SHA512,
        }
    }

    fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let algorithm = match self {
            Algorithm::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Algorithm::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; self.digest().output_len()];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        salted
    }

    fn sign(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.hmac(), key), message).as_ref().to_vec()
    }
}

impl Scram {
    pub(crate) fn new(algorithm: Algorithm, user: &str, password: &str, nonce: &str) -> Scram {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Scram {
            algorithm,
            password: password.to_owned(),
            nonce: nonce.to_owned(),
            first_bare: format!("n={user},r={nonce}"),
            server_signature: None,
        }
    }

    /// The client's first message.
    pub(crate) fn first(&self) -> String {
        format!("{HEAD}{}", self.first_bare)
    }

    /// The client's second message, after the broker's first.
    pub(crate) fn answer(&mut self, challenge: &[u8]) -> Result<String, ScramError> {
        let challenge = std::str::from_utf8(challenge).map_err(|_not_text| ScramError::Malformed)?;
        let field = |name: &str| challenge.split(',').find_map(|field| field.strip_prefix(name));
        if let Some(refusal) = field("e=") {
            return Err(ScramError::Refused(refusal.to_owned()));
        }
        let nonce =
            field("r=").filter(|nonce| nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce));
        let salt = field("s=").and_then(|salt| STANDARD.decode(salt).ok());
        let iterations = field("i=").and_then(|count| count.parse::<NonZeroU32>().ok());
        let (Some(nonce), Some(salt), Some(iterations)) = (nonce, salt, iterations) else {
            return Err(ScramError::Malformed);
        };
        if iterations.get() > ITERATIONS_MAX {
            return Err(ScramError::Iterations(iterations.get()));
        }
        let salted = self.algorithm.salted(&self.password, &salt, iterations);
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(HEAD));
        let signed = format!("{},{challenge},{without_proof}", self.first_bare);
        let client_key = self.algorithm.sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.algorithm.digest(), &client_key);
        let signature = self.algorithm.sign(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        let server_key = self.algorithm.sign(&salted, b"Server Key");
        self.server_signature = Some(self.algorithm.sign(&server_key, signed.as_bytes()));
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Checks the broker's second message.
    pub(crate) fn verify(&self, last: &[u8]) -> Result<(), ScramError> {
        let last = std::str::from_utf8(last).map_err(|_not_text| ScramError::Malformed)?;
        if let Some(refusal) = last.strip_prefix("e=") {
            return Err(ScramError::Refused(refusal.to_owned()));
        }
        let signature = last.split(',').find_map(|field| field.strip_prefix("v="));
        let signature = signature.and_then(|text| STANDARD.decode(text).ok()).ok_or(ScramError::Malformed)?;
        if self.server_signature.as_ref() != Some(&signature) {
            return Err(ScramError::Signature);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The exchange of RFC 7677.
    fn scram() -> Scram {
        Scram::new(Algorithm::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO")
    }

    #[test]
    fn an_exchange_is_that_of_the_standard() {
        let mut scram = scram();

        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            scram.answer(CHALLENGE.as_bytes()).expect("an answer"),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert_eq!(
            scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8="),
            Err(ScramError::Signature)
        );
        assert_eq!(scram.verify(b"e=other-error"), Err(ScramError::Refused("other-error".to_owned())));
    }

    #[test]
    fn names_are_escaped_and_challenges_that_are_none_refused() {
        assert_eq!(Scram::new(Algorithm::Sha512, "a=b,c", "x", "n").first(), "n,,n=a=3Db=2Cc,r=n");
        for (challenge, error) in [
            ("", ScramError::Malformed),
            ("r=other,s=W22Z,i=1", ScramError::Malformed),
            ("r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=1", ScramError::Malformed),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=%,i=1", ScramError::Malformed),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=0", ScramError::Malformed),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1000001", ScramError::Iterations(1_000_001)),
            ("e=unknown-user", ScramError::Refused("unknown-user".to_owned())),
        ] {
            assert_eq!(scram().answer(challenge.as_bytes()), Err(error), "{challenge}");
        }
    }
}
