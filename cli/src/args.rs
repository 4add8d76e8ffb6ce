//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "meshtrace",
    version,
    about = "See how requests move through your services",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the services of a mesh.yaml on this machine, traced
    #[command(after_long_help = UP)]
    Up {
        /// The file that describes the mesh
        #[arg(default_value = "mesh.yaml")]
        file: PathBuf,
        /// Run the same mesh without sidecars and collector, to compare
        #[arg(long)]
        untraced: bool,
        /// Show what happens to the services, not what they print
        #[arg(long, short)]
        quiet: bool,
    },
    #[doc(hidden)]
    #[command(name = crate::up::enter::COMMAND, hide = true)]
    Enter,
    #[doc(hidden)]
    #[command(name = crate::up::init::COMMAND, hide = true)]
    Init,
}

const UP: &str = "\
Every service runs in a network namespace of its own, with the redirect rules and the sidecar that it would have in a
pod, and finds the others by name. It needs no change and no tracing library. Nothing outlives the command.

A mesh.yaml:

  services:
    shop:
      command: [python3, shop.py]   # or one line for the shell
      port: 8080                    # where it listens: it is ready then
      publish: 8080                 # reach it at 127.0.0.1:8080; also ADDRESS:PORT
      env: {STOCK: 'stock:8080'}
    stock:
      command: node stock.js
      workdir: stock                # relative to the file
      port: 8080
      replicas: 2                   # stock-0 and stock-1; `stock` is both
      restart: on-failure           # never (default), on-failure, always
      sidecar: {sampling: 10%}      # also routes, propagate, opaque_ports, ...
    load:
      command: ./load.sh
      traced: false
  collector: {publish: 16686}       # enabled: false for none
  ip: dual                          # names stand for IPv4 (default) or both

It runs as root, and without root where user namespaces are allowed. The services reach each other, not the outside.

Ends with 0 when every service ended well or Ctrl-C stopped it, 1 when a service failed for good, 130 on a second
Ctrl-C.

Examples:
  meshtrace up demo/bank/mesh.yaml
  meshtrace up --quiet
  meshtrace up --untraced     # what do the same services do without us?";
