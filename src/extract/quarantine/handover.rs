//! Messages of a number and, mostly, an open file, between the server and the zygote (unix(7), SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

/// Bytes of the number.
const NUMBER: usize = size_of::<u32>();

/// Sends both.
pub(super) fn give(socket: &UnixStream, number: u32, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    let files = file.map(|file| [file]);
    if let Some(files) = &files
        && !attached.push(SendAncillaryMessage::ScmRights(files))
    {
        return Err(io::Error::other("no room for a file"));
    }
    let bytes = number.to_be_bytes();
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut attached, SendFlags::NOSIGNAL)?;
    // So few bytes go whole or not at all.
    if sent == NUMBER { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Waits for both. Without a number the other side has hung up; a file may be missing, too, because this process has as
/// many open as it may.
pub(super) fn take(socket: &UnixStream) -> io::Result<Option<(u32, Option<OwnedFd>)>> {
    let mut bytes = [0; NUMBER];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut into = [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(socket, &mut into, &mut attached, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            received => break received?.bytes,
        }
    };
    let file = attached.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    match received {
        0 => Ok(None),
        NUMBER => Ok(Some((u32::from_be_bytes(bytes), file))),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_that_is_given_is_the_one_that_is_taken() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        give(&ours, 7_000_000, Some(far.as_fd())).unwrap();
        drop(far);
        let (number, file) = take(&theirs).unwrap().unwrap();
        assert_eq!(number, 7_000_000);
        UnixStream::from(file.unwrap()).write_all(b"through it").unwrap();
        let mut text = String::new();
        near.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through it");
        give(&ours, 11, None).unwrap();
        assert!(matches!(take(&theirs).unwrap(), Some((11, None))));
        drop(ours);
        assert!(take(&theirs).unwrap().is_none());
    }

    #[test]
    fn half_a_number_is_an_error() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&[0, 1]).unwrap();
        assert_eq!(take(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
