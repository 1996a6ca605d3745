//! temp
use std::{rc::Rc,sync::Arc,time::*};
fn main(){
 let t=Instant::now();
 let mut c=carom::config::Config::default(); c.state=Some("/tmp/cst".into());
 if let Some(p)=std::env::args().nth(1){ let mut q=carom::config::Policy::default(); q.path=Some(p.into()); c.policy.insert("sink".into(),q);}
 let c=Arc::new(c);
 let p=carom::policy::Policy::load("sink",&c).map_err(|e|{println!("{e}");}).unwrap();
 let t1=t.elapsed();
 let dns=Arc::new(carom::auth::Dns::open(&c.dns).unwrap());
 let raw=Arc::new(b"Subject: x\r\n\r\nhi".to_vec());
 let mk=||Rc::new(carom::policy::facts::Facts::new(raw.clone(),Default::default(),c.clone(),dns.clone(),carom::deadline::Deadline::after(Duration::from_secs(1))));
 let f=mk();
 let d=p.decide(&f,1,0); let t2=t.elapsed();
 match d { Ok(d)=>println!("{:?}",d.plan), Err(e)=>println!("{e}") };
 for _ in 0..1000 { let _=p.decide(&f,1,0); } let t3=t.elapsed();
 println!("load {t1:?} decide {:?} later {:?}", t2-t1,(t3-t2)/1000);
}
