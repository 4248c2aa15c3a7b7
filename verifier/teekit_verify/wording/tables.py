"""The words for each kind of artifact, fact and reason (`wording.checks`)."""

from __future__ import annotations

from teekit_verify.appraisal.facts import ArtifactPart, DivergenceKindName, Fact, GivenPart, Requested, Why

ARTIFACTS = {
    ArtifactPart.FILE: "artifact",
    ArtifactPart.CLAIM: "claimed artifact",
    ArtifactPart.REST_OF_DISK: "rest of the disk",
}

GIVEN = {
    GivenPart.WHOLE: "what it runs",
    GivenPart.ORDER: "order of what was measured",
    GivenPart.MANIFEST: "manifest",
    GivenPart.APP: "app",
    GivenPart.HOSTNAMES: "hostnames",
}

FACTS = {
    Fact.QUOTE_SIGNATURE: "header and body are signed",
    Fact.ATTESTATION_KEY: "attestation key is the quoting enclave's",
    Fact.QE_REPORT_SIGNATURE: "QE report is signed by the platform",
    Fact.QUOTING_ENCLAVE: "quoting enclave is Intel's",
    Fact.CHAIN_ORDER: "certificates are in order",
    Fact.CHAIN_NAMES: "certificates name their issuers",
    Fact.CHAIN_SIGNATURES: "certificates are signed",
    Fact.CHAIN_ROOT: "certificates end in the trusted root, {}",
    Fact.CHAIN_CONSTRAINTS: "certificates allow this use",
    Fact.CHAIN_VALIDITY: "certificates are valid at {}",
    Fact.PCK_REVOCATION: "PCK certificate is not revoked",
    Fact.CA_REVOCATION: "PCK CA is not revoked",
    Fact.VTPM_SIGNATURE: "PCRs are signed by the vTPM's key",
    Fact.VTPM_VALUES: "PCR values are the signed ones",
    Fact.VTPM_CERTIFICATE: "vTPM's key is certified by Microsoft",
    Fact.VTPM_GOOGLE_CERTIFICATE: "vTPM's key is certified by Google",
    Fact.TDX_QUOTE: "hardware signed a TDX quote",
    Fact.TPM_KEY: "vTPM's key is one you named",
    Fact.NO_DEBUG: "TD is not a debug TD",
    Fact.TD_ATTRIBUTES: "TD attributes",
    Fact.XFAM: "XFAM",
    Fact.TDX_MODULE: "TDX module is Intel's",
    Fact.NO_SEPT_VE: "host cannot raise #VE",
    Fact.SERVICE_TD: "no service TD",
    Fact.REPORT_DATA: "REPORTDATA",
    Fact.VTPM_NONCE: "nonce of the vTPM's quote",
    Fact.TCB_STATUS: "TCB status",
    Fact.ANSWER_NONCE: "answer is to this question",
    Fact.CHANNEL: "connection ends in this machine",
    Fact.MANIFEST_LIST: "manifests in the answer are the measured ones",
    Fact.HOSTNAME_LIST: "hostnames in the answer are the measured ones",
}
"""`{}` is what was expected."""

REQUESTED = {
    Requested.GIVEN: "what was asked for",
    Requested.NONCE: "the nonce",
    Requested.PUBLIC_KEY: "a digest of the public key",
    Requested.HCL_REPORT: "the digest of the HCL report's runtime data",
    Requested.QUESTION: "what this question and the key of this connection give",
}

PARTINGS = {
    DivergenceKindName.MISSING: "missing event",
    DivergenceKindName.EXTRA: "extra event",
    DivergenceKindName.DIFFERENT: "digest differs",
}

# `{0}` is what was expected, `{1}` what was found.
WHY = {
    Why.NOT_LISTED: "the reference lists no file with these bytes or this name",
    Why.NOT_PUBLISHED: "the reference does not list this file",
    Why.NOT_MADE: "the build did not make this file",
    Why.OTHER_BYTES: "same size, other bytes",
    Why.DISK_DIGEST_UNKNOWN: "the measurements do not have the digest of the whole disk: compare the disk itself",
    Why.MAY_BE_THIS_DISK: "may be this disk, but does not have its bytes: its name does not say what it is",
    Why.NO_DISK_PUBLISHED: "not compared: the reference lists no disk, so only the boot file on it was",
    Why.ANOTHER_FILE: "not compared: another file",
    Why.ONLY_CLAIMED: "not compared: the measurements name its digest, and no byte of it was looked at",
    Why.NOTHING_ASKED: "the reference asks for none",
    Why.PLATFORM_NOT_PUBLISHED: "the reference says nothing about this platform",
    Why.NOT_MENTIONED: "measured, but the reference does not mention this register",
    Why.NOT_MEASURED: "published, but not among the measurements",
    Why.NO_SUCH_BANK: "the measurements have no such bank",
    Why.ANOTHER_FIRMWARE: "another firmware",
    Why.NO_EVENT_LOG: "one side has no event log to explain it",
    Why.SAME_EVENTS: "the event logs are equal",
    Why.NEVER_EXTENDED: "ignored: published as never extended, which an artifact does not decide",
    Why.NO_REGISTER: "ignored: {0} is not a value of a register",
    Why.NOT_QUOTED: "published, but a TD quote has no PCRs: not compared",
    Why.PARAVISORS: "the paravisor's, not mentioned",
    Why.NO_PCRS_PUBLISHED: "the reference has no values for those that were quoted",
    Why.NO_PLATFORM_FITS: "the reference has no values for the registers of such a guest",
    Why.VTPM_NOT_VOUCHED_FOR: (
        "nobody vouches for it, and any TD can claim to have one: give the certificates of its key, reference values with "
        "the MRTD of the paravisor, or its MRTD as you know it (--mrtd)"
    ),
    Why.TPM_NOT_VOUCHED_FOR: (
        "nobody vouches for its key, and any program can sign with one of its own: give the key as you know it (--vtpm-key), "
        "or, on Google Cloud, the certificates above that of the key (--vtpm-issuer)"
    ),
    Why.NO_TDX_QUOTE: "the machine has no TDX quote: whoever runs it can read and change its memory",
    Why.TPM_RUNS_OTHERWISE: "the TPM was given other apps than the TD, or more: the log leads to {1}, and it has {0}",
    Why.FIRMWARE_NOT_VOUCHED_FOR: (
        "nobody vouches for it, and a foreign one can have measured anything: give reference values with its MRTD, the "
        "endorsement of its maker (--endorsement), or its MRTD as you know it (--mrtd)"
    ),
    Why.FIRMWARE_NOT_THE_NAMED: "another firmware than those that are vouched for",
    Why.BOOTED_NOT_COMPARED: (
        "what the firmware booted was not compared, and can have measured anything into the registers that were"
    ),
    Why.DRIVERS_NOT_COMPARED: (
        "the firmware ran drivers besides what it booted, or the quote leaves this out. The reference does not say which they may be: "
        "a host's own (an option ROM, a variable Driver####) can have measured anything into the registers that were compared"
    ),
    Why.NOT_IN_LOG: "the log has no event of it, and it is not zero in the quote",
    Why.LOG_LACKS_REGISTER: (
        "not in this log, which does not have everything: only reference values say whether it is right"
    ),
    Why.LOG_REPLAYS_OTHERWISE: "the log replays to another value than the quote has",
    Why.OTHER_START: "they start at other values",
    Why.NO_REVOCATION_LIST: "no revocation list of its authority was given",
    Why.NO_CERTIFICATE: "no certificate of the key was given",
    Why.NO_COLLATERAL: "no collateral was given: the platform may lack security updates",
    Why.REPORT_DATA_NOT_ASKED: "not asked for: this may be an old quote, or another guest's",
    Why.NONCE_NOT_ASKED: "not asked for: these may be PCRs of an earlier time",
    Why.DEBUG: "this is a debug TD: the host can read and change its memory",
    Why.SEPT_VE: "SEPT_VE_DISABLE is not set: the host can raise #VE when the TD uses its own memory",
    Why.SERVICE_TD: "a service TD is bound to this TD: MRSERVICETD is {1}",
    Why.SERVICE_TD_NAMED: "the service TD that is bound to this TD is one that was named: MRSERVICETD is {1}",
    Why.APPS_NOT_ASKED: "not compared: give --manifest, or a reference that has apps; else it may be any app",
    Why.APPS_NOT_MEASURED: (
        "not compared: the reference does not say that its image measures what it runs, so that its apps could have "
        "measured anything"
    ),
    Why.NO_RUNTIME_LOG: "not compared: the log of what it runs is needed (--runtime-log), or its hostnames (--hostname)",
    Why.APPS_NOT_QUOTED: "not compared: the register that shows it was not quoted",
    Why.REGISTER_OTHERWISE: "the register holds another value than these manifests and hostnames lead to",
    Why.NOT_CLOSED: "the log lacks the event that closes it: more may have been measured, or may yet be",
    Why.AFTER_CLOSED: "something was measured after the event that closes the log: {1}",
    Why.OUT_OF_ORDER: "events are not in the order in which this image measures: {1}",
    Why.UNKNOWN_EVENT: "an event that this image does not measure: {1}",
    Why.OTHER_MANIFEST: "another manifest: {1}",
    Why.MANIFEST_ELSEWHERE: "this is a manifest that was asked for in another place: {1}",
    Why.OTHER_APP: "another app runs: sha256 {1}, expected {0}",
    Why.APP_ELSEWHERE: "this is an app that was asked for in another place: sha256 {1}",
    Why.NOT_GIVEN: "the machine does not have it",
    Why.GIVEN_TOO: "nobody asked for it: {1}",
    Why.OTHER_HOSTNAMES: "expected {0}, found {1}",
    Why.HOSTNAMES_NOT_ASKED: "not compared (--hostname): {1}",
    Why.OLD_ANSWER: "this answers another question: it is an old answer, or somebody else's",
    Why.OTHER_TLS_KEY: (
        "the connection ends somewhere else: its key is {1}, and the machine's is {0}; somebody is in the middle, or serves "
        "another certificate"
    ),
    Why.PLAIN_HTTP: "not encrypted: whoever is in the middle can read and change what follows",
    Why.LIST_DIFFERS: "the answer lists others than those that were measured",
}
