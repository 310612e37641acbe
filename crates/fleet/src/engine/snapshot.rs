//! A source's instances as one compressed row of the store.

use std::sync::Arc;

use domain::instance::{Instance, Interner};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::error::FleetError;

/// The instances as the store keeps them: JSON, compressed, off the async threads.
pub(super) async fn pack(instances: Arc<[Arc<Instance>]>) -> Result<Vec<u8>, FleetError> {
    let packed = tokio::task::spawn_blocking(move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let all: Vec<&Instance> = instances.iter().map(Arc::as_ref).collect();
        serde_json::to_writer(std::io::BufWriter::new(&mut encoder), &all)?;
        encoder.finish()
    });
    let packed = packed.await.map_err(|error| FleetError::Snapshot(error.to_string()))?;
    packed.map_err(|error| FleetError::Snapshot(error.to_string()))
}

/// The instances of a stored snapshot, with repeating texts shared.
pub(super) async fn unpack(payload: Vec<u8>) -> Result<Arc<[Arc<Instance>]>, FleetError> {
    let unpacked = tokio::task::spawn_blocking(move || {
        let reader = std::io::BufReader::new(GzDecoder::new(payload.as_slice()));
        let mut instances: Vec<Instance> = serde_json::from_reader(reader)?;
        let mut interner = Interner::default();
        for instance in &mut instances {
            interner.share(instance);
        }
        Ok::<_, serde_json::Error>(instances.into_iter().map(Arc::new).collect())
    });
    let unpacked = unpacked.await.map_err(|error| FleetError::Snapshot(error.to_string()))?;
    unpacked.map_err(|error| FleetError::Snapshot(error.to_string()))
}
