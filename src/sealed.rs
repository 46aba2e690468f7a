//! A large type behind a small one, for the compiler's sake.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// A shared value that may cross threads, and is known to without a look inside.
///
/// Syntax trees, plans and sessions are hundreds of types that contain each other. In every async function that holds
/// one across an await, if only behind `&self`, the compiler walks all of them to prove that they are `Send`, and
/// keeps none of the proofs: ten seconds a function, a minute and a half a build. Here each proof ends.
pub struct Sealed<T> {
    value: Arc<dyn Any + Send + Sync>,
    of: PhantomData<fn() -> T>,
}

impl<T: Any + Send + Sync> Sealed<T> {
    pub fn new(value: T) -> Self {
        Self { value: Arc::new(value), of: PhantomData }
    }
}

impl<T: Any + Send + Sync + Default> Default for Sealed<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), of: PhantomData }
    }
}

impl<T: Any> Deref for Sealed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.downcast_ref().unwrap_or_else(|| unreachable!("new() puts nothing else here"))
    }
}

impl<T: Any + fmt::Debug> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
