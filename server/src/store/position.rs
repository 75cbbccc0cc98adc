//! Where something stands on the earth. Here: judging degrees, and keeping them as whole numbers, as every column is.

use sqlx::any::AnyRow;

use super::Error;
use super::error::Invalid;
use super::row::Columns as _;

/// Parts of a degree that are told apart: a tenth of a metre.
const PARTS: f64 = 1e6;

/// A place in WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Millionths of a degree to the north.
    latitude: i32,
    /// Millionths of a degree to the east.
    longitude: i32,
}

impl Position {
    /// The place that these degrees mean, which are both given or neither.
    ///
    /// # Errors
    /// [`Error::Invalid`] if one of them is missing, or is no such degree.
    pub fn judged(latitude: Option<f64>, longitude: Option<f64>) -> Result<Option<Self>, Error> {
        match (latitude, longitude) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(Error::invalid("longitude", Invalid::Empty)),
            (None, Some(_)) => Err(Error::invalid("latitude", Invalid::Empty)),
            (Some(latitude), Some(longitude)) => {
                let north = Invalid::Form("-90 to 90 (degrees)", "-90 đến 90 (độ)");
                let east = Invalid::Form("-180 to 180 (degrees)", "-180 đến 180 (độ)");
                Ok(Some(Self {
                    latitude: parts(latitude, 90.0).ok_or(Error::invalid("latitude", north))?,
                    longitude: parts(longitude, 180.0).ok_or(Error::invalid("longitude", east))?,
                }))
            }
        }
    }

    /// Degrees to the north.
    #[must_use]
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude) / PARTS
    }

    /// Degrees to the east.
    #[must_use]
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude) / PARTS
    }

    /// As its columns have it.
    pub(super) fn columns(it: Option<Self>) -> [Option<i64>; 2] {
        let column = |part: fn(Self) -> i32| it.map(|it| i64::from(part(it)));
        [column(|it| it.latitude), column(|it| it.longitude)]
    }

    pub(super) fn read(row: &AnyRow) -> Result<Option<Self>, Error> {
        let part = |column| -> Result<Option<i32>, Error> {
            let part = row.maybe_number(column)?.map(u64::cast_signed);
            let part = part.map(|it| i32::try_from(it).map_err(|_| Error::Corrupt(column)));
            part.transpose()
        };
        let both = part("latitude")?.zip(part("longitude")?);
        Ok(both.map(|(latitude, longitude)| Self { latitude, longitude }))
    }
}

/// Whole parts of a degree, if it lies within `most` on either side.
fn parts(degrees: f64, most: f64) -> Option<i32> {
    (degrees.abs() <= most).then(|| (degrees * PARTS).round() as i32)
}
