"""The words for each kind of artifact, fact and reason (`wording.checks`)."""

from __future__ import annotations

from teekit_verify.appraisal.facts import ArtifactPart, DivergenceKindName, Fact, Requested, Why

ARTIFACTS = {
    ArtifactPart.FILE: "artifact",
    ArtifactPart.CLAIM: "claimed artifact",
    ArtifactPart.REST_OF_DISK: "rest of the disk",
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
    Fact.CHAIN_CONSTRAINTS: "certificates may be used so",
    Fact.CHAIN_VALIDITY: "certificates are valid at {}",
    Fact.PCK_REVOCATION: "PCK certificate is not revoked",
    Fact.CA_REVOCATION: "PCK CA is not revoked",
    Fact.VTPM_SIGNATURE: "PCRs are signed by the vTPM's key",
    Fact.VTPM_VALUES: "PCR values are the signed ones",
    Fact.VTPM_CERTIFICATE: "vTPM's key is certified by Microsoft",
    Fact.NO_DEBUG: "TD is not a debug TD",
    Fact.TD_ATTRIBUTES: "TD attributes",
    Fact.XFAM: "XFAM",
    Fact.TDX_MODULE: "TDX module is Intel's",
    Fact.NO_SEPT_VE: "host cannot raise #VE",
    Fact.SERVICE_TD: "no service TD",
    Fact.REPORT_DATA: "REPORTDATA",
    Fact.VTPM_NONCE: "nonce of the vTPM's quote",
    Fact.TCB_STATUS: "TCB status",
}
"""`{}` is what was expected."""

REQUESTED = {
    Requested.GIVEN: "what was asked for",
    Requested.NONCE: "the nonce",
    Requested.PUBLIC_KEY: "a digest of the public key",
    Requested.HCL_REPORT: "the digest of the HCL report's runtime data",
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
    Why.MAY_BE_THIS_DISK: "may be this disk, and does not have its bytes: its name does not say what it is",
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
    Why.NO_REGISTER: "ignored: {0} is no value of a register",
    Why.NOT_QUOTED: "published, but a TD quote has no PCRs: not compared",
    Why.PARAVISORS: "the paravisor's, not mentioned",
    Why.NO_PCRS_PUBLISHED: "the reference has no values for those that were quoted",
    Why.NO_PLATFORM_FITS: "the reference has no values for the registers of such a guest",
    Why.VTPM_NOT_VOUCHED_FOR: (
        "nobody vouches for it, and any TD can claim to have one: give the certificates of its key, reference values with "
        "the MRTD of the paravisor, or its MRTD as you know it (--mrtd)"
    ),
    Why.FIRMWARE_NOT_VOUCHED_FOR: (
        "nobody vouches for it, and a foreign one can have measured anything: give reference values with its MRTD, the "
        "endorsement of its maker (--endorsement), or its MRTD as you know it (--mrtd)"
    ),
    Why.FIRMWARE_NOT_THE_NAMED: "another firmware than those that are vouched for",
    Why.BOOTED_NOT_COMPARED: (
        "what the firmware booted was not compared, and can have measured anything into the registers that were"
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
}
